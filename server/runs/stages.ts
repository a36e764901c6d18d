import { makeFolder, writeJson } from "../disk/atomic.ts";
import { type StageRecord, type StageStatus, stageRecordSchema } from "../protocol/stage.ts";
import { type StagePaths, stagePathsIn } from "./layout.ts";
import type { LockHolder } from "./lock.ts";
import { readLive } from "./read.ts";

/** A stage's status as it is now: "interrupted" when its process was killed. */
export type StageState = StageStatus | "interrupted";

export interface Stage {
  record: StageRecord;
  state: StageState;
  paths: StagePaths;
  /** The process that runs it now. */
  holder?: LockHolder;
}

/**
 * Reads a stage's folder; undefined for one that was never begun.
 *
 * @throws UserError naming file and key for a broken `stage.json`.
 */
export async function readStage(folder: string): Promise<Stage | undefined> {
  const paths = stagePathsIn(folder);
  const live = await readLive(folder, paths.record, stageRecordSchema);
  return live && { ...live, paths };
}

/** Writes `stage.json`, and makes the stage's folder if need be. Only for one who holds the stage's lock. */
export async function writeStage(paths: StagePaths, record: StageRecord): Promise<void> {
  makeFolder(paths.folder);
  await writeJson(paths.record, record);
}
