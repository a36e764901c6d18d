import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import type { z } from "zod";
import { Digest } from "../disk/digest.ts";
import { hasCode, withDiskErrors } from "../disk/errors.ts";
import { checkDigest } from "../disk/fileDigests.ts";
import { LineSplitter, parseJson, parseLine } from "../disk/lines.ts";
import { openRegular, readBounded } from "../disk/open.ts";
import { parseSealed } from "../disk/seal.ts";
import { type RoutingIndex, routingIndexSchema } from "../protocol/routingFiles.ts";
import { type FileDigest, type Metric, metricSchema, type StageRecord } from "../protocol/stage.ts";
import { explainDamage } from "./damage.ts";
import type { StagePaths } from "./layout.ts";
import { type LockHolder, lockHolder } from "./lock.ts";

/** The most of a JSON file that is read: `run.json` lists every file of its domains. */
const maxJsonBytes = 128 << 20;
/** The most of a file of records that is read at once. */
const maxRecordsBytes = 2 ** 32;

/** Undefined where a file does not exist (or its folder does not). */
async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/**
 * Reads and validates one JSON file, and checks its digest if it has one; undefined where it does not exist.
 *
 * @throws UserError naming file and key.
 */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await orAbsent(readBounded(path, maxJsonBytes));
  if (text === undefined) return undefined;
  try {
    return parseSealed(text.toString("utf8"), schema, path);
  } catch (error) {
    throw explainDamage(error);
  }
}

/**
 * Reads a JSON Lines file. An incomplete last line is skipped; a missing file counts as empty.
 *
 * @param expected the file's digest, where it is known.
 * @throws UserError naming file, line and key; DamagedError if the file is not the expected one.
 */
export async function readLines<T>(path: string, schema: z.ZodType<T>, expected?: FileDigest): Promise<T[]> {
  const handle = await orAbsent(openRegular(path));
  if (!handle && !expected) return [];
  const items: T[] = [];
  const lines = new LineSplitter();
  const digest = new Digest();
  /** What is wrong with a line: the digest may know better. */
  let mistake: unknown;
  const take = (chunk: Buffer): void => {
    for (const line of lines.take(chunk)) items.push(parseLine(line.toString("utf8"), schema, path, items.length + 1));
  };
  const readAll = async (): Promise<void> => {
    for await (const chunk of handle?.createReadStream({ highWaterMark: 1 << 20 }) ?? []) {
      if (expected) digest.update(chunk as Buffer);
      if (mistake !== undefined) continue;
      try {
        take(chunk as Buffer);
      } catch (error) {
        if (!expected) throw error;
        mistake = error;
      }
    }
  };
  await withDiskErrors(path, readAll, "read");
  try {
    if (expected) checkDigest(path, { bytes: digest.bytes, digest: digest.value }, expected);
  } catch (error) {
    throw explainDamage(error);
  }
  if (mistake !== undefined) throw mistake;
  return items;
}

/** Float32 records of one file, one after the other. */
export interface Records {
  /** Whole records. */
  count: number;
  /** Values a record. */
  size: number;
  /** [count, size] */
  values: Float32Array;
}

/** Reads float32 records of `size` values each. A torn last record is left out; a file that does not exist is empty. */
export async function readRecords(path: string, size: number): Promise<Records> {
  const bytes = await orAbsent(readBounded(path, maxRecordsBytes));
  const count = bytes === undefined ? 0 : Math.floor(bytes.length / (size * 4));
  const values = new Float32Array(count * size);
  if (bytes) new Uint8Array(values.buffer).set(bytes.subarray(0, values.byteLength));
  return { count, size, values };
}

/**
 * Metrics of a stage, all steps.
 *
 * @param record of the stage: once it is done, it has the digest of the file.
 * @throws UserError naming file, line and key.
 */
export const readMetrics = (stage: StagePaths, record: Pick<StageRecord, "files">): Promise<Metric[]> =>
  readLines(stage.metrics, metricSchema, record.files?.[basename(stage.metrics)]);

/** The last metric of a stage, read from the end of its file; undefined if there are no metrics. */
export async function readLastMetric(stage: StagePaths): Promise<Metric | undefined> {
  const handle = await orAbsent(openRegular(stage.metrics));
  if (!handle) return undefined;
  try {
    const line = await withDiskErrors(stage.metrics, () => lastLine(handle), "read");
    return line === undefined ? undefined : parseJson(line, metricSchema, `the last line of ${stage.metrics}`);
  } finally {
    await handle.close();
  }
}

/** The last complete line of a file. */
async function lastLine(handle: FileHandle): Promise<string | undefined> {
  const { size } = await handle.stat();
  for (let wanted = 4096; ; wanted *= 4) {
    const length = Math.min(wanted, size);
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await handle.read(buffer, 0, length, size - length);
    const end = buffer.lastIndexOf(0x0a, bytesRead - 1);
    if (bytesRead > 0 && end >= 0) {
      const before = end === 0 ? -1 : buffer.lastIndexOf(0x0a, end - 1);
      if (before >= 0 || length === size) return buffer.toString("utf8", before + 1, end);
    }
    if (length === size) return undefined;
  }
}

/** One stage's routing statistics over its training. */
export interface RoutingHistory {
  index: RoutingIndex;
  /** Snapshots. */
  count: number;
  /** [snapshot, statistic, layer, domain, expert] */
  values: Float32Array;
}

/** Values in one record of `routing.f32`. */
export const routingRecordSize = (index: RoutingIndex): number =>
  index.statistics.length * index.layers.length * index.domains.length * index.experts.length;

/**
 * Reads `routing.json` and `routing.f32`; undefined for a stage without routing. @throws UserError naming file and key.
 */
export async function readRouting(stage: StagePaths): Promise<RoutingHistory | undefined> {
  const index = await readJson(stage.routingIndex, routingIndexSchema);
  if (!index) return undefined;
  const { count, values } = await readRecords(stage.routing, routingRecordSize(index));
  return { index, count, values };
}

/** A record with a status, and whether the process that should be working on it is. */
export interface Live<T extends { status: string }> {
  record: T;
  /** The record's status; "interrupted" if it says "running" but the folder's lock is free. */
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
  // Its process may have ended between the two reads; it records its status before it releases the lock.
  const latest = (await readJson(path, schema)) ?? record;
  return { record: latest, state: latest.status === "running" ? "interrupted" : latest.status };
}
