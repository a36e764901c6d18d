import { open, stat } from "node:fs/promises";
import { hasCode } from "../runs/atomic.ts";

/** Whole records of `size` float32 values that a file has; 0 for one that is not there. */
export async function recordCount(path: string, size: number): Promise<number> {
  try {
    return Math.floor((await stat(path)).size / (size * 4));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return 0;
    throw error;
  }
}

/**
 * The same stretch of several float32 records, `size` values each.
 *
 * @param start of the stretch in a record, and `length`. @returns one array a record, as far as they are there.
 */
export async function readStretches(
  path: string,
  size: number,
  records: readonly number[],
  start = 0,
  length = size,
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
