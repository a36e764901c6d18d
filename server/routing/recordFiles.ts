import { open, stat } from "node:fs/promises";
import type * as z from "zod";
import { hasCode } from "../runs/atomic.ts";
import { readJson } from "../runs/read.ts";
import type { RecordLayout, Stretch } from "./layout.ts";

/** Reads single records from files, and keeps nothing. */

export interface RecordFile<Index, Name extends string = string> {
  path: string;
  index: Index;
  layout: RecordLayout<Name>;
}

/** A file of records and its index; undefined without an index. @throws UserError for a broken one. */
export async function recordFile<Index, Name extends string>(
  path: string,
  indexPath: string,
  schema: z.ZodType<Index>,
  layoutOf: (index: Index) => RecordLayout<Name>,
): Promise<RecordFile<Index, Name> | undefined> {
  const index = await readJson(indexPath, schema);
  return index && { path, index, layout: layoutOf(index) };
}

/** Complete records of a file; 0 if it does not exist. */
export async function recordCount({ path, layout }: RecordFile<unknown>): Promise<number> {
  try {
    return Math.floor((await stat(path)).size / (layout.size * 4));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return 0;
    throw error;
  }
}

/**
 * The same stretch of several records, or the whole records.
 *
 * @param records their numbers. @returns an array for each record, up to the first that does not exist.
 */
export async function readStretches(
  { path, layout: { size } }: RecordFile<unknown>,
  records: readonly number[],
  { start, length }: Stretch = { start: 0, length: size },
): Promise<Float32Array<ArrayBuffer>[]> {
  const file = await open(path, "r");
  try {
    const stretches: Float32Array<ArrayBuffer>[] = [];
    for (const record of records) {
      const values = new Float32Array(length);
      const { bytesRead } = await file.read(new Uint8Array(values.buffer), 0, length * 4, (record * size + start) * 4);
      if (bytesRead < length * 4) break;
      stretches.push(values);
    }
    return stretches;
  } finally {
    await file.close();
  }
}
