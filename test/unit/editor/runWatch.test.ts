import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { RunWatch } from "../../../server/editor/runWatch.ts";
import type { BackendNotificationParams } from "../../../server/protocol/editor.ts";
import { runPaths } from "../../../server/runs/layout.ts";
import { acquireLock, type Lock } from "../../../server/runs/lock.ts";
import { emptyFolder, metric, writeRun, writeStage } from "./folder.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function watching() {
  const runs: BackendNotificationParams<"btx/runsChanged">[] = [];
  const stages: BackendNotificationParams<"btx/stagesChanged">[] = [];
  const watch = new RunWatch({ runs: (told) => runs.push(told), stages: (told) => stages.push(told) });
  ends.push(() => watch.stop());
  return { watch, runs, stages };
}

function locked(folder: string): Lock {
  const lock = acquireLock(folder, "it");
  ends.push(() => lock.release());
  return lock;
}

describe("the watch over run folders", () => {
  it("gives all runs first, and then tells of what changed and of nothing else", async () => {
    const root = emptyFolder();
    writeRun(root, { id: "20260101-000000" });
    const { watch, runs } = watching();
    expect((await watch.watch([root])).runs).toHaveLength(1);
    await watch.check();
    expect(runs).toEqual([]);
    writeRun(root, { id: "20260102-000000" });
    await watch.check();
    expect(runs).toMatchObject([{ runs: [{ run: "20260102-000000" }], removed: [], problems: [] }]);
    rmSync(runPaths(root, "20260101-000000").folder, { recursive: true });
    await watch.check();
    expect(runs.slice(1)).toMatchObject([{ runs: [], removed: [{ root, run: "20260101-000000" }] }]);
    await watch.check();
    expect(runs).toHaveLength(2);
  });

  it("tells of a problem once", async () => {
    const root = emptyFolder();
    const { watch, runs } = watching();
    await watch.watch([root]);
    const { id } = writeRun(root);
    writeFileSync(runPaths(root, id).record, "{");
    await watch.check();
    await watch.check();
    expect(runs.flatMap(({ problems }) => problems)).toEqual([expect.stringContaining("run.json")]);
  });

  it("tells of the stages of a running run, all at first and then those that changed", async () => {
    const root = emptyFolder();
    const run = writeRun(root, { status: "running" });
    const seed = writeStage(root, "seed", { status: "running", result: undefined });
    writeStage(root, "data");
    writeFileSync(seed.metrics, metric(1));
    locked(runPaths(root, run.id).folder);
    locked(seed.folder);
    const { watch, stages } = watching();
    await watch.watch([root]);
    await watch.check();
    expect(stages.map(({ all, stages: told }) => [all, told.length])).toEqual([[true, run.stages.length]]);
    appendFileSync(seed.metrics, metric(2));
    await watch.check();
    expect(stages[1]).toMatchObject({ root, run: run.id, all: false, stages: [{ name: "seed", done: 2 }] });
    await watch.check();
    expect(stages).toHaveLength(2);
    expect(watch.running()).toMatchObject([{ run: { run: run.id } }]);
  });

  it("tells how the stages of a run stand when it has ended", async () => {
    const root = emptyFolder();
    const run = writeRun(root, { status: "running" });
    const seed = writeStage(root, "seed", { status: "running", result: undefined });
    const [runLock, stageLock] = [locked(runPaths(root, run.id).folder), locked(seed.folder)];
    const { watch, stages } = watching();
    await watch.watch([root]);
    await watch.check();
    writeStage(root, "seed");
    writeRun(root, { status: "done" });
    stageLock.release();
    runLock.release();
    await watch.check();
    expect(stages.at(-1)!.stages).toMatchObject([{ name: "seed", state: "done" }]);
    expect(watch.running()).toEqual([]);
  });

  it("tells of stages that began and ended between two looks", async () => {
    const root = emptyFolder();
    const run = writeRun(root, { status: "running" });
    const runLock = locked(runPaths(root, run.id).folder);
    const { watch, stages } = watching();
    await watch.watch([root]);
    await watch.check();
    writeStage(root, "seed");
    writeRun(root, { status: "done" });
    runLock.release();
    await watch.check();
    expect(stages.at(-1)!.stages).toMatchObject([{ name: "seed", state: "done" }]);
  });

  it("looks at the stages of a run at rest when they were asked for and something was removed", async () => {
    const root = emptyFolder();
    const run = writeRun(root);
    const seed = writeStage(root, "seed");
    const { watch, stages } = watching();
    await watch.watch([root]);
    expect(await watch.stages({ root, run: run.id })).toHaveLength(run.stages.length);
    rmSync(seed.folder, { recursive: true });
    await watch.check();
    await watch.checkShown();
    expect(stages).toMatchObject([{ all: false, stages: [{ name: "seed", state: "waiting" }] }]);
  });
});
