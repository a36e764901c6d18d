import type { z } from "zod";
import { type LockHolder, lockHolder } from "./lock.ts";
import { readJson } from "./read.ts";

/** A record with a status, and whether the process that should be working on it is. */
export interface Live<T extends { status: string }> {
  record: T;
  /** The record's status; "interrupted" for one that says "running" while nobody holds the folder's lock. */
  state: T["status"] | "interrupted";
  /** The process that works on it now. */
  holder?: LockHolder;
}

/**
 * Reads `stage.json` or `run.json` together with the folder's lock. Undefined where there is no record.
 *
 * @throws UserError naming file and key.
 */
export async function readLive<T extends { status: string }>(
  folder: string,
  path: string,
  schema: z.ZodType<T>,
): Promise<Live<T> | undefined> {
  const record = await readJson(path, schema);
  if (!record) return undefined;
  const holder = lockHolder(folder);
  if (holder) return { record, state: record.status, holder };
  if (record.status !== "running") return { record, state: record.status };
  // Its process may have ended between the two looks; it writes how before it gives the lock back.
  const latest = (await readJson(path, schema)) ?? record;
  return { record: latest, state: latest.status === "running" ? "interrupted" : latest.status };
}
