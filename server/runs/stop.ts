import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { makeFolder, remove } from "../disk/atomic.ts";
import { withDiskErrors } from "../disk/errors.ts";
import { runPaths, type StagePaths, stagePaths } from "./layout.ts";
import { lockHolder } from "./lock.ts";
import { readRun } from "./runs.ts";

/**
 * Asks a run or a stage to stop after a checkpoint, through a file in its folder that its process checks for between
 * steps. It needs no signal, so it works from other machines over a shared disk, and the file can be created by hand.
 */

const requestStop = (path: string): Promise<void> => withDiskErrors(path, () => writeFile(path, ""));

/** True while a stop is requested; quick enough to ask every step. @param path `stop` of StagePaths or RunPaths. */
export const stopRequested = (path: string): boolean => existsSync(path);

/** Takes a request back: before the work is taken up, or it would stop at once, and when it has ended. */
export const clearStop = (path: string): Promise<void> => remove(path);

/**
 * Asks a stage's process to stop, also one that has not made the stage's folder yet. @throws UserError of a full disk.
 */
export async function stopStage({ folder, stop }: StagePaths): Promise<void> {
  makeFolder(folder);
  await requestStop(stop);
}

/**
 * Asks a run to stop: its runner, and any stage processes without a runner.
 *
 * @returns the folders that stay locked until it has stopped; empty if nothing is working on the run.
 * @throws UserError when the disk is full.
 */
export async function stopRun(root: string, id: string): Promise<string[]> {
  const { folder, stop } = runPaths(root, id);
  const asked: string[] = [];
  if (lockHolder(folder)) {
    await requestStop(stop);
    asked.push(folder);
  }
  const run = await readRun(folder);
  for (const { key } of run?.record.stages ?? []) {
    const paths = stagePaths(root, key);
    const holder = lockHolder(paths.folder);
    if (!holder || holder.runner !== undefined) continue;
    await stopStage(paths);
    asked.push(paths.folder);
  }
  return asked;
}
