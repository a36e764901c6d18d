import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import * as z from "zod";
import { maxTransfer, replaceFile, writeAll } from "../../disk/atomic.ts";
import { Digest } from "../../disk/digest.ts";
import { openRegular } from "../../disk/open.ts";
import { type ColumnName, columnNames } from "./parse.ts";

/**
 * `metrics.cache` beside a long `metrics.jsonl`: its values as float64, column after column, so that ten million steps
 * are read in a fraction of a second. It is derived: it may be removed at any time, and is not used when it does not
 * fit the beginning of the file it was made of, or when a column has changed since it was written.
 *
 * Layout: 4096 bytes of JSON with spaces behind it, then `rows` values of each of `columns`, little-endian.
 */

const headerSize = 4096;
/** So many bytes at the beginning of the lines, and before the offset, must be as they were. */
const sampleSize = 4096;

const headerSchema = z.strictObject({
  version: z.literal(2),
  rows: z.int().min(1),
  /** Bytes of the lines that the values were read from. */
  offset: z.int().min(1),
  sample: z.string(),
  columns: z.array(z.enum(columnNames)).min(1),
  /** Digest of each column. */
  digests: z.array(z.string()),
});
export type CacheHeader = z.infer<typeof headerSchema>;

/** A digest of the first and last bytes of the first `offset` bytes of a file. */
export async function sampleOf(lines: FileHandle, offset: number): Promise<string> {
  const first = await readBytes(lines, 0, Math.min(sampleSize, offset));
  const from = Math.max(0, offset - sampleSize);
  const last = await readBytes(lines, from, offset - from);
  return createHash("sha256").update(first).update(last).digest("hex").slice(0, 32);
}

/** The header of the cache, if it is one of the beginning of these lines. */
export async function readCacheHeader(path: string, lines: FileHandle): Promise<CacheHeader | undefined> {
  return withCache(path, async (handle, header) => {
    const { size } = await lines.stat();
    const { size: cached } = await handle.stat();
    if (size < header.offset || cached !== headerSize + header.rows * 8 * header.columns.length) return undefined;
    return (await sampleOf(lines, header.offset)) === header.sample ? header : undefined;
  });
}

/** Columns that were compared with their digests; each is compared once. */
const checked = new Set<string>();
/** Bytes of a column read at once for its digest. */
const pieceBytes = 1 << 20;

/** The digest of the column at `place`, as it is in the file. */
async function digestOfColumn(handle: FileHandle, rows: number, place: number): Promise<string> {
  const digest = new Digest();
  for (const end = rows * 8; digest.bytes < end; ) {
    const position = headerSize + place * end + digest.bytes;
    const bytes = await readBytes(handle, position, Math.min(pieceBytes, end - digest.bytes));
    if (bytes.length === 0) break;
    digest.update(bytes);
  }
  return digest.value;
}

async function isIntact(path: string, handle: FileHandle, header: CacheHeader, place: number): Promise<boolean> {
  const expected = header.digests[place];
  const key = `${path} ${header.rows} ${place} ${expected}`;
  if (checked.has(key)) return true;
  if ((await digestOfColumn(handle, header.rows, place)) !== expected) return false;
  checked.add(key);
  return true;
}

/** The values of rows [from, to) of a column, all NaN for one that the cache lacks; undefined if the cache is gone. */
export async function readCacheColumn(
  path: string,
  sample: string,
  column: ColumnName,
  from: number,
  to: number,
): Promise<Float64Array<ArrayBuffer> | undefined> {
  return withCache(path, async (handle, header) => {
    if (header.sample !== sample || header.rows < to) return undefined;
    const place = header.columns.indexOf(column);
    const values = new Float64Array(to - from);
    if (place < 0) return values.fill(Number.NaN);
    if (!(await isIntact(path, handle, header, place))) return undefined;
    const bytes = Buffer.from(values.buffer);
    return (await fill(handle, headerSize + (place * header.rows + from) * 8, bytes)) === bytes.length
      ? values
      : undefined;
  });
}

/** Writes values of a column from a row on. */
export type WriteValues = (name: ColumnName, row: number, values: Float64Array) => Promise<void>;

/**
 * Writes the cache.
 *
 * @param fill writes all values, in any order; of values that are written again the last count.
 * @throws UserError when the disk is full or may not be written.
 */
export async function writeCache(
  path: string,
  header: Omit<CacheHeader, "version" | "digests">,
  fill: (write: WriteValues) => Promise<void>,
): Promise<void> {
  await replaceFile(path, async (handle) => {
    await fill(async (name, row, values) => {
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const place = header.columns.indexOf(name);
      await writeAll(handle, bytes, headerSize + (place * header.rows + row) * 8);
    });
    const digests: string[] = [];
    for (const place of header.columns.keys()) digests.push(await digestOfColumn(handle, header.rows, place));
    const text = JSON.stringify({ version: 2, ...header, digests } satisfies CacheHeader).padEnd(headerSize);
    await writeAll(handle, Buffer.from(text, "latin1"), 0);
  });
}

async function withCache<T>(
  path: string,
  work: (handle: FileHandle, header: CacheHeader) => Promise<T | undefined>,
): Promise<T | undefined> {
  const handle = await openRegular(path).catch(() => undefined);
  if (!handle) return undefined;
  try {
    const text = (await readBytes(handle, 0, headerSize)).toString("latin1");
    return await work(handle, headerSchema.parse(JSON.parse(text)));
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

/** As many of the bytes as there are. */
export async function readBytes(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, await fill(handle, position, bytes));
}

/** Reads into a buffer until it is full or the file ends. @returns bytes read. */
export async function fill(handle: FileHandle, position: number, bytes: Buffer): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(bytes.length - done, maxTransfer), position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
