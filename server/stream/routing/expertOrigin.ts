import { stageColors } from "../../protocol/colors.ts";
import { UserError } from "../../protocol/errors.ts";
import { mixedExperts } from "../../protocol/model.ts";
import type { ExpertOrigin } from "../../protocol/pageInspections.ts";
import type { MixSpec, PlannedStage } from "../../protocol/stage.ts";
import { evaluationOf, stageKinds } from "../../protocol/stageKinds.ts";
import { type FoundModel, mixOf } from "../../runs/findModel.ts";
import { stagePaths } from "../../runs/layout.ts";
import { listRuns } from "../../runs/runs.ts";
import { readStage } from "../../runs/stages.ts";

/** What an expert was made of, and which models use it. @throws UserError if the model has no such expert. */
export async function expertOrigin(found: FoundModel, expert: string): Promise<ExpertOrigin> {
  const mix = mixOf(found);
  const at = mix ? mixedExperts(mix.spec).indexOf(expert) : -1;
  if (!mix || at < 0) throw new UserError(`${found.stage.name} of run ${found.run} has no expert "${expert}"`);
  const sources = sourcesOf(found.stages, mix, at);
  const seeds = sources.every(({ spec }) => spec.kind === "seed");
  const { split = 1, blend } = mix.spec;
  return {
    made: blend ? "blend" : split > 1 ? "part" : seeds ? "copy" : "whole",
    ...(split > 1 && !blend ? { part: { number: (at % split) + 1, of: split } } : {}),
    sources: await Promise.all(sources.map((stage) => describe(found, stage))),
    uses: await usesOf(found, mix, expert),
  };
}

/** The stages whose blocks an expert was made of, by its index. */
function sourcesOf(
  stages: readonly PlannedStage[],
  { spec, parents }: PlannedStage & { spec: MixSpec },
  at: number,
): PlannedStage[] {
  const names = spec.blend ? spec.experts : [spec.experts[Math.floor(at / (spec.split ?? 1))]!];
  return names.flatMap((name) => stages.filter((stage) => stage.name === parents[`expert:${name}`]));
}

async function describe(
  { root, stages }: Pick<FoundModel, "root" | "stages">,
  planned: PlannedStage,
): Promise<ExpertOrigin["sources"][number]> {
  const stage = await readStage(stagePaths(root, planned.key).folder);
  const evaluation = evaluationOf(planned.name, stages);
  const evaluated = evaluation && (await readStage(stagePaths(root, evaluation.key).folder));
  const losses = Object.entries(evaluated?.record.result?.losses ?? {}).map(([domain, { nats }]) => [domain, nats]);
  const color = stageColors(stages.map(({ name }) => name)).get(planned.name);
  const { tokens } = stage?.record.result ?? {};
  const weights = Object.entries("phases" in planned.spec ? (planned.spec.phases.at(-1)?.mixture ?? {}) : {});
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return {
    root,
    key: planned.key,
    name: planned.name,
    state: stage?.state ?? "waiting",
    ...(color ? { color } : {}),
    ...(tokens === undefined ? {} : { tokens }),
    ...(stage ? { seconds: stage.record.seconds } : {}),
    ...(losses.length > 0 ? { losses: Object.fromEntries(losses) } : {}),
    ...(total > 0 ? { mixture: Object.fromEntries(weights.map(([domain, weight]) => [domain, weight / total])) } : {}),
  };
}

/** The mixed models of the run folder with this expert, made of the same stages; the model itself first. */
async function usesOf(
  found: FoundModel,
  mix: PlannedStage & { spec: MixSpec },
  expert: string,
): Promise<ExpertOrigin["uses"]> {
  const of = (stages: readonly PlannedStage[], one: PlannedStage & { spec: MixSpec }) =>
    JSON.stringify([
      one.spec.split,
      one.spec.blend,
      sourcesOf(stages, one, mixedExperts(one.spec).indexOf(expert)).map(({ key }) => key),
    ]);
  const same = of(found.stages, mix);
  const uses: ExpertOrigin["uses"] = [];
  const seen = new Set<string>();
  const add = async (run: string, name: string, stages: readonly PlannedStage[], stage: PlannedStage) => {
    if (seen.has(stage.key)) return;
    seen.add(stage.key);
    uses.push({ run, name, stage: await describe({ root: found.root, stages }, stage) });
  };
  for (const entry of await listRuns(found.root)) {
    if ("problem" in entry) continue;
    const { id: run, name, stages } = entry.run.record;
    for (const stage of stages) {
      if (!stageKinds[stage.spec.kind].hasExperts) continue;
      const its = mixOf({ stage, stages });
      if (its && mixedExperts(its.spec).includes(expert) && of(stages, its) === same)
        await add(run, name, stages, stage);
    }
  }
  return uses.sort((a, b) => Number(b.stage.key === found.stage.key) - Number(a.stage.key === found.stage.key));
}
