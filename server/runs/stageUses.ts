import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { diskError, hasCode } from "../disk/errors.ts";
import { readBounded } from "../disk/open.ts";
import type { LostStage } from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import { maxExperimentBytes } from "../protocol/run.ts";
import { stageRecordSchema } from "../protocol/stage.ts";
import { runPathsIn, runsFolder, stagePaths, stagesFolder } from "./layout.ts";
import { lockHolder } from "./lock.ts";
import { readJson } from "./read.ts";
import { folderBytes } from "./remove.ts";

/** Which runs use the stages of a run folder, and what removing unused stages would lose. */

/** What is read of `run.json` here; runs are many and their specs long. */
const usesSchema = z.object({ stages: z.array(z.object({ key: z.string() })) });

/** Ids of the runs of a run folder that use a stage, and names of files whose seed it is, by the stage's key. */
export type StageUses = ReadonlyMap<string, readonly string[]>;

/**
 * Which stages are used: by runs, and by experiment files beside the run folder whose seed is the model of a stage.
 *
 * @throws UserError for a run or an experiment file that cannot be read: what it uses is not known.
 */
export async function stageUses(root: string): Promise<StageUses> {
  const uses = new Map<string, string[]>();
  const add = (key: string, user: string) => uses.set(key, [...(uses.get(key) ?? []), user]);
  for (const id of await namesIn(runsFolder(root))) {
    const { folder, record } = runPathsIn(join(runsFolder(root), id));
    const found = await readJson(record, usesSchema);
    if (!found) await assertUnbegun(folder);
    for (const { key } of found?.stages ?? []) add(key, id);
  }
  for (const name of await namesIn(dirname(root))) {
    if (!name.endsWith(".btx.yaml")) continue;
    const text = (await readBounded(join(dirname(root), name), maxExperimentBytes)).toString("utf8");
    for (const key of new Set([...text.matchAll(/\.btx\/stages\/([0-9a-f]{16})\b/g)].map((found) => found[1]!)))
      add(key, name);
  }
  return uses;
}

/** Names in a folder; none if it does not exist. @throws UserError when it cannot be read. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw diskError(error, folder, "read");
  }
}

/** @throws UserError if a folder without `run.json` is that of a run that has begun. */
async function assertUnbegun(folder: string): Promise<void> {
  const [file] = (await namesIn(folder)).filter((name) => !/^(lock\.|run\.json\.tmp-)/.test(name));
  if (file !== undefined)
    throw new UserError(
      `${folder} has no run.json, but other files of a run (${file}), so it is not known which stages it uses: put run.json back, or remove the folder`,
    );
}

/** Whether a runner works on a run. */
export const isWorkedOn = (root: string, run: string): boolean => lockHolder(join(runsFolder(root), run)) !== undefined;

/** Keys of all stages that have a folder, in order. */
export async function stageKeys(root: string): Promise<string[]> {
  const names = await namesIn(stagesFolder(root));
  return names.filter((name) => /^[0-9a-f]{16}$/.test(name)).sort();
}

/** Keys of the stages that nothing uses. @throws UserError for a run that cannot be read. */
export async function unusedStages(root: string): Promise<string[]> {
  // Keys first: a stage that a run begins meanwhile is then used, or not among them.
  const keys = await stageKeys(root);
  const uses = await stageUses(root);
  return keys.filter((key) => !uses.has(key));
}

const recordSchema = stageRecordSchema.pick({ name: true, seconds: true, finished: true });

/**
 * What would be lost with the folder of a stage; undefined if the folder does not exist.
 *
 * @param except a run not to count as a user of the stage.
 */
export async function lostStage(
  root: string,
  key: string,
  uses: StageUses,
  except?: string,
): Promise<LostStage | undefined> {
  const { folder, record: path } = stagePaths(root, key);
  const bytes = await folderBytes(folder);
  // What cannot be read is lost all the same.
  const record = await readJson(path, recordSchema.strip()).catch(() => undefined);
  if (!record && bytes === 0) return undefined;
  return {
    key,
    name: record?.name ?? key,
    bytes,
    seconds: record?.seconds ?? 0,
    otherRuns: (uses.get(key) ?? []).filter((run) => run !== except).length,
    locked: lockHolder(folder) !== undefined,
    ...(record?.finished === undefined ? {} : { finished: record.finished }),
  };
}

/** What would go with these stages, in their order. */
export async function lostStages(
  root: string,
  keys: Iterable<string>,
  uses: StageUses,
  except?: string,
): Promise<LostStage[]> {
  const lost: LostStage[] = [];
  for (const key of new Set(keys)) {
    const stage = await lostStage(root, key, uses, except);
    if (stage) lost.push(stage);
  }
  return lost;
}

/** The stages that nothing uses, the largest first. @throws UserError for a run that cannot be read. */
export async function lostUnused(root: string): Promise<LostStage[]> {
  const lost = await lostStages(root, await unusedStages(root), await stageUses(root));
  return lost.filter(({ otherRuns }) => otherRuns === 0).sort((a, b) => b.bytes - a.bytes);
}

/** Why a stage that was unused stays; undefined where it may go. */
export async function whyUsed(root: string, key: string): Promise<string | undefined> {
  const users = (await stageUses(root)).get(key);
  return users && `stage ${key} is used by ${users.join(", ")} now`;
}
