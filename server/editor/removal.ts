import type { LostStage, RunReference, StageReference } from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import { lineage } from "../runs/cost.ts";
import { removeRests, removeRun, removeStages } from "../runs/remove.ts";
import { requireRun } from "../runs/runs.ts";
import { isWorkedOn, lostStages, lostUnused, stageUses, whyUsed } from "../runs/stageUses.ts";
import type { Answers } from "./answers.ts";
import { resume, waitUntilIdle } from "./runs.ts";
import type { RunWatch } from "./runWatch.ts";

/** Reports what removing a run or stages would lose, and removes what the user confirmed. */
export function serveRemoval(answers: Answers, watch: RunWatch): void {
  const seen = async (): Promise<void> => {
    await watch.check();
    await watch.checkShown();
  };
  answers.to("btx/rerunLoses", async (reference) => ({ stages: await rerunLoses(reference) }));
  answers.to("btx/rerun", async ({ keys, cores, ...reference }) => {
    await removeConfirmed(reference, keys);
    await resume(reference, cores);
    await seen();
    return { root: reference.root, run: reference.run };
  });
  answers.to("btx/deleteLoses", async (reference) => ({ stages: await deleteLoses(reference) }));
  answers.to("btx/deleteRun", async ({ root, run, keys }) => {
    await waitUntilIdle({ root, run });
    const own = new Set((await planOf({ root, run })).map(({ key }) => key));
    await removeRun(root, run);
    const removed = await removeStages(
      root,
      keys.filter((key) => own.has(key)),
      (key) => whyUsed(root, key),
    );
    await seen();
    return removed;
  });
  answers.to("btx/unusedStages", async ({ root }) => ({ stages: await lostUnused(root) }));
  answers.to("btx/cleanStages", async ({ root, keys }) => {
    await removeRests(root);
    const removed = await removeStages(root, keys, (key) => whyUsed(root, key));
    await seen();
    return removed;
  });
}

async function planOf({ root, run }: RunReference): Promise<PlannedStage[]> {
  return (await requireRun(root, run)).record.stages;
}

/** A stage and its dependents, in plan order. */
async function dependents({ stage, ...run }: StageReference): Promise<PlannedStage[]> {
  const plan = await planOf(run);
  const found = plan.filter(({ name }) => lineage(name, plan).some((ancestor) => ancestor.name === stage));
  if (found.length === 0) throw new UserError(`run ${run.run} has no stage "${stage}"`);
  return found;
}

async function rerunLoses(reference: StageReference): Promise<LostStage[]> {
  const { root, run } = reference;
  const stages = await dependents(reference);
  return lostStages(
    root,
    stages.map(({ key }) => key),
    await stageUses(root),
    run,
  );
}

/** Removes the stages of a run that the user confirmed. @throws UserError if one of them is in use. */
async function removeConfirmed(reference: StageReference, agreed: readonly string[]): Promise<void> {
  const { root, run } = reference;
  await waitUntilIdle(reference);
  const stages = await dependents(reference);
  const uses = await stageUses(root);
  for (const { key, name } of stages) {
    const user = uses.get(key)?.find((other) => other !== run && isWorkedOn(root, other));
    if (user !== undefined)
      throw new UserError(`run ${user} is running and uses stage "${name}": wait for it, or stop it first`);
  }
  const keys = stages.map(({ key }) => key).filter((key) => agreed.includes(key));
  const { kept } = await removeStages(root, keys, async () => undefined);
  if (kept[0] !== undefined) throw new UserError(kept[0]);
}

async function deleteLoses({ root, run }: RunReference): Promise<LostStage[]> {
  const plan = await planOf({ root, run });
  const lost = await lostStages(
    root,
    plan.map(({ key }) => key),
    await stageUses(root),
    run,
  );
  return lost.filter(({ otherRuns }) => otherRuns === 0);
}
