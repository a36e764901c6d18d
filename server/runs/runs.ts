import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeJson } from "../disk/atomic.ts";
import { hasCode } from "../disk/errors.ts";
import { UserError } from "../protocol/errors.ts";
import { type RunRecord, runRecordSchema } from "../protocol/run.ts";
import { createRunFolder, type RunPaths, runPaths, runPathsIn, runsFolder } from "./layout.ts";
import type { LockHolder } from "./lock.ts";
import { readLive } from "./read.ts";

/** A run's status as it is now: "interrupted" when its runner was killed. */
export type RunState = RunRecord["status"] | "interrupted";

export interface Run {
  record: RunRecord;
  state: RunState;
  paths: RunPaths;
  /** The runner that runs it now. */
  holder?: LockHolder;
}

/**
 * Creates a run: its folder, exclusively, and its `run.json` with the status "running"; neither, if one fails.
 *
 * @throws UserError when the run folder may not be written or the disk is full.
 */
export async function createRun(
  root: string,
  fields: Pick<RunRecord, "name" | "file" | "experiment" | "randomSeed" | "compute" | "stages" | "reused">,
): Promise<Run> {
  const created = new Date();
  const id = await createRunFolder(root, created);
  const paths = runPaths(root, id);
  const record: RunRecord = { version: 1, id, ...fields, status: "running", created: created.toISOString() };
  try {
    await writeJson(paths.record, record);
  } catch (error) {
    await rm(paths.folder, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
  return { record, state: "running", paths };
}

/**
 * Changes keys of `run.json`; `undefined` removes a key. Only for the runner, which holds the run's lock. It must write
 * the final status before it releases the lock; otherwise the run is read as interrupted.
 *
 * @throws UserError when there is no such run, or the disk is full.
 */
export async function updateRun(folder: string, change: Partial<RunRecord>): Promise<RunRecord> {
  const run = await readRun(folder);
  if (!run) throw new UserError(`${folder} is not a run folder: it has no run.json`);
  const record = runRecordSchema.parse({ ...run.record, ...change });
  await writeJson(run.paths.record, record);
  return record;
}

/**
 * Reads a run's folder; undefined without a `run.json` (it is being created, or its creator was killed).
 *
 * @throws UserError naming file and key for a broken `run.json`.
 */
export async function readRun(folder: string): Promise<Run | undefined> {
  const paths = runPathsIn(folder);
  const live = await readLive(folder, paths.record, runRecordSchema);
  return live && { ...live, paths };
}

/** A run by its id. @throws UserError if it does not exist, or naming file and key of an invalid `run.json`. */
export async function requireRun(root: string, id: string): Promise<Run> {
  const run = await readRun(runPaths(root, id).folder);
  if (run) return run;
  throw new UserError(`there is no run ${id} in ${root}: \`btx list\` shows all runs`);
}

/** One entry of a list of runs: a run, or why its record cannot be read. */
export type ListedRun = { id: string; run: Run } | { id: string; problem: string };

/** All runs of a run folder, oldest first. A run with a broken `run.json` is listed with its problem. */
export async function listRuns(root: string): Promise<ListedRun[]> {
  const listed: ListedRun[] = [];
  for (const id of await runIds(root)) {
    try {
      const run = await readRun(join(runsFolder(root), id));
      if (run) listed.push({ id, run });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      listed.push({ id, problem: error.message });
    }
  }
  return listed;
}

/** Ids of all runs, oldest first. */
async function runIds(root: string): Promise<string[]> {
  try {
    const entries = await readdir(runsFolder(root), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/**
 * The run that a person means: by its id, by the beginning of it if only one begins so, or the newest.
 *
 * @throws UserError that says what runs there are.
 */
export async function findRun(root: string, idOrBeginning?: string): Promise<Run> {
  const runs = await listRuns(root);
  const matches = runs.filter(({ id }) => idOrBeginning === undefined || id === idOrBeginning);
  const found = matches.length > 0 ? matches : runs.filter(({ id }) => id.startsWith(idOrBeginning ?? ""));
  const newest = found.at(-1);
  if (newest === undefined) {
    if (runs.length === 0) throw new UserError(`there is no run in ${root}: start one with \`btx run FILE\``);
    throw new UserError(`there is no run ${idOrBeginning} in ${root}, the newest is ${runs.at(-1)?.id}`);
  }
  if (idOrBeginning !== undefined && found.length > 1)
    throw new UserError(
      `${found.length} runs in ${root} begin with ${idOrBeginning}: give more of the id, as ${newest.id}`,
    );
  if ("problem" in newest) throw new UserError(newest.problem);
  return newest.run;
}
