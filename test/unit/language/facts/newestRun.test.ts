import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { NewestRuns } from "../../../../server/language/facts/newestRun.ts";
import { RunStandings } from "../../../../server/language/facts/runStandings.ts";
import type { StageSpec } from "../../../../server/protocol/stage.ts";
import { runRoot, stagePaths } from "../../../../server/runs/layout.ts";
import { acquireLock } from "../../../../server/runs/lock.ts";
import { createRun, updateRun } from "../../../../server/runs/runs.ts";
import { writeStage } from "../../../../server/runs/stages.ts";
import { runFixture } from "../../../fixtures/run.ts";
import { planned, record } from "../../runs/records.ts";
import { folderWith, soon } from "../support.ts";

const phases = (
  runFixture().run.stages.find(({ name }) => name === "seed")!.spec as Extract<StageSpec, { kind: "seed" }>
).phases;
const trained: StageSpec = { kind: "finetune", randomSeed: 1, phases };
const stages = [planned("finetune", "f1", trained), planned("evaluate:finetune", "e1"), planned("dense", "d1")];

/** A folder with a run of `a.btx.yaml`, in which the finetuning is under way. */
async function oneRun() {
  const folder = folderWith({ "a.btx.yaml": "" });
  const file = join(folder, "a.btx.yaml");
  const root = runRoot(file);
  const run = await createRun(root, { name: "a", file, experiment: "", stages, reused: [] });
  const paths = stagePaths(root, stages[0]!.key);
  await writeStage(paths, record(stages[0]!, { status: "running" }));
  const metric = { step: 1, steps: 9, tokens: 1, seconds: 1, gradientNorm: 1, learningRate: 1, tokensPerSecond: 1 };
  appendFileSync(paths.metrics, `${JSON.stringify({ ...metric, loss: 2.5 })}\n`);
  return { file, root, run, paths };
}

describe("the newest run of a file", () => {
  it("is none where there was none", async () => {
    expect(await new NewestRuns().of("/nowhere/a.btx.yaml")).toBeUndefined();
    const { file } = await oneRun();
    expect(await new NewestRuns().of(file.replace("a.btx", "b.btx"))).toBeUndefined();
  });

  it("tells how its stages stand while they are under way", async () => {
    const { file, run, paths } = await oneRun();
    const locks = [acquireLock(run.paths.folder, "run"), acquireLock(paths.folder, "stage")];
    expect(await new NewestRuns().of(file)).toEqual({
      id: run.record.id,
      state: "running",
      stages: [
        { name: "finetune", state: "running", loss: 2.5 },
        { name: "evaluate:finetune", state: "waiting" },
        { name: "dense", state: "waiting" },
      ],
    });
    for (const lock of locks) lock.release();
    expect(await new NewestRuns().of(file)).toMatchObject({
      state: "interrupted",
      stages: [{ state: "interrupted" }, {}, {}],
    });
  });

  it("has the mean held-out loss of the finetuned model when it is done", async () => {
    const { file, root, run } = await oneRun();
    const loss = (nats: number) => ({ nats, bitsPerByte: 1, tokens: 1, bytes: 1 });
    await writeStage(stagePaths(root, stages[0]!.key), record(stages[0]!, { result: { trainingLoss: 1.5 } }));
    await writeStage(
      stagePaths(root, stages[1]!.key),
      record(stages[1]!, { result: { losses: { a: loss(1), b: loss(2) } } }),
    );
    await updateRun(run.paths.folder, { status: "done" });
    expect(await new NewestRuns().of(file)).toMatchObject({
      state: "done",
      meanLoss: 1.5,
      stages: [{ name: "finetune", state: "done", loss: 1.5 }, { state: "done" }, { state: "waiting" }],
    });
  });

  it("is the last to begin, of the same file", async () => {
    const { file, root } = await oneRun();
    const fields = { name: "a", experiment: "", stages: [], reused: [] };
    const second = await createRun(root, { ...fields, file });
    await createRun(root, { ...fields, file: `${file}.other` });
    expect((await new NewestRuns().of(file))?.id).toBe(second.record.id);
  });

  it("is watched, and a change is told once, with whether a stage has ended", async () => {
    const { file, run, paths } = await oneRun();
    const lock = acquireLock(run.paths.folder, "run");
    const changes: boolean[] = [];
    const standings = new RunStandings(
      () => [file],
      (ended) => changes.push(ended),
      20,
    );
    standings.start();
    try {
      await expect.poll(() => changes, soon).toEqual([false]);
      await setTimeout(100);
      expect(changes).toEqual([false]);
      await writeStage(paths, record(stages[0]!, { status: "done" }));
      await expect.poll(() => changes, soon).toEqual([false, true]);
      await updateRun(run.paths.folder, { status: "done" });
      lock.release();
      await expect.poll(() => changes, soon).toEqual([false, true, false]);
      expect(await standings.of(file)).toMatchObject({ state: "done" });
    } finally {
      standings.stop();
    }
  });
});
