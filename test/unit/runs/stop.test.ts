import { expect, it } from "vitest";
import { runPaths, stagePaths } from "../../../server/runs/layout.ts";
import { acquireLock } from "../../../server/runs/lock.ts";
import { createRun } from "../../../server/runs/runs.ts";
import { clearStop, stopRequested, stopRun, stopStage } from "../../../server/runs/stop.ts";
import { temporaryFolder } from "./folder.ts";
import { mixSpec, planned } from "./records.ts";

it("a stage is asked to stop until the request is taken back, and may have no folder yet", async () => {
  const paths = stagePaths(temporaryFolder(), "1".padStart(16, "0"));
  expect(stopRequested(paths.stop)).toBe(false);
  await stopStage(paths);
  await stopStage(paths);
  expect(stopRequested(paths.stop)).toBe(true);
  await clearStop(paths.stop);
  await clearStop(paths.stop);
  expect(stopRequested(paths.stop)).toBe(false);
});

it("a run is stopped by its runner, and by the processes that work on its stages without one", async () => {
  const root = temporaryFolder();
  const stages = ["own", "alone", "idle"].map((name, index) => planned(name, String(index), mixSpec));
  const { record } = await createRun(root, { name: "a", file: "/f", experiment: "", stages, reused: [] });
  const [own, alone, idle] = stages.map(({ key }) => stagePaths(root, key));
  const { folder, stop } = runPaths(root, record.id);
  expect(await stopRun(root, record.id)).toEqual([]);
  expect(await stopRun(root, "20260101-000000")).toEqual([]);

  const locks = [acquireLock(own!.folder, "own", { runner: process.ppid }), acquireLock(alone!.folder, "alone")];
  expect(await stopRun(root, record.id)).toEqual([alone!.folder]);
  expect([stop, own!.stop, alone!.stop, idle!.stop].map(stopRequested)).toEqual([false, false, true, false]);
  locks.push(acquireLock(folder, "the run"));
  expect(await stopRun(root, record.id)).toEqual([folder, alone!.folder]);
  expect([stop, own!.stop, idle!.stop].map(stopRequested)).toEqual([true, false, false]);
  for (const lock of locks) lock.release();
});
