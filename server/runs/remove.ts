import { existsSync } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isTemporary, removeLeftovers, temporaryName } from "../disk/atomic.ts";
import { hasCode, withDiskErrors } from "../disk/errors.ts";
import { UserError } from "../protocol/errors.ts";
import { runPaths, runsFolder, stagePaths, stagesFolder } from "./layout.ts";
import { acquireLock, LockedError } from "./lock.ts";

/**
 * Removes stages and runs. A folder is locked and renamed before it is removed, so no reader sees a partial one.
 */

/**
 * Removes a stage's folder; false if it does not exist.
 *
 * @throws LockedError when a process works on it.
 */
export const removeStage = (root: string, key: string): Promise<boolean> =>
  removeLocked(root, stagePaths(root, key).folder, `stage ${key}`);

/** Removes a run's folder but not its stages; false if it does not exist. @throws LockedError while it runs. */
export const removeRun = (root: string, id: string): Promise<boolean> =>
  removeLocked(root, runPaths(root, id).folder, `run ${id}`);

async function removeLocked(root: string, folder: string, what: string): Promise<boolean> {
  if (!existsSync(folder)) return false;
  const lock = acquireLock(folder, what);
  const aside = temporaryName(join(root, "removed"));
  // Windows renames no folder in which a file is open.
  if (process.platform === "win32") lock.release();
  try {
    lock.check();
    await withDiskErrors(folder, () => rename(folder, aside));
  } finally {
    lock.release();
  }
  await rm(aside, { recursive: true, force: true });
  return true;
}

/** Removes what interrupted removals and killed writers left behind, except where a process is working. */
export async function removeRests(root: string): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    if (isTemporary(name)) await rm(join(root, name), { recursive: true, force: true });
  }
  for (const parent of [runsFolder(root), stagesFolder(root)]) {
    for (const name of await readdir(parent).catch(() => [])) await removeRestsIn(join(parent, name));
  }
}

async function removeRestsIn(folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  if (!names.some(isTemporary)) return;
  try {
    const lock = acquireLock(folder, folder);
    try {
      await removeLeftovers(folder);
    } finally {
      lock.release();
    }
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
  }
}

/** Total size of all files below a folder, bytes; 0 if it does not exist. */
export async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  });
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}

export interface RemovedStages {
  stages: number;
  bytes: number;
  /** Why others were not removed, a sentence each. */
  kept: string[];
}

/**
 * Removes stages, one after the other.
 *
 * @param mayGo is asked of each just before it goes: undefined, or why it stays, in a sentence.
 */
export async function removeStages(
  root: string,
  keys: readonly string[],
  mayGo: (key: string) => Promise<string | undefined>,
): Promise<RemovedStages> {
  const removed: RemovedStages = { stages: 0, bytes: 0, kept: [] };
  for (const key of keys) {
    const why = await mayGo(key);
    if (why !== undefined) {
      removed.kept.push(why);
      continue;
    }
    try {
      const bytes = await folderBytes(stagePaths(root, key).folder);
      if (!(await removeStage(root, key))) continue;
      removed.stages++;
      removed.bytes += bytes;
    } catch (error) {
      if (!(error instanceof LockedError || error instanceof UserError)) throw error;
      removed.kept.push(error.message);
    }
  }
  return removed;
}
