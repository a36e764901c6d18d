import { createWriteStream } from "node:fs";
import { type FileHandle, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";
import { decompress } from "fzstd";
import { type AsyncBuffer, type Compressors, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { maxTransfer } from "../../disk/atomic.ts";
import { openExisting } from "../../disk/open.ts";
import { UserError } from "../../protocol/errors.ts";
import { readBytes } from "./bytes.ts";
import type { Document } from "./document.ts";
import { missingField, recordText } from "./record.ts";

/** Largest row group, in bytes of the columns that are read: a row group is held in memory whole. */
const LARGEST_ROW_GROUP = 1 << 30;

const compressors: Compressors = {
  GZIP: (input, outputLength) => zlib.gunzipSync(input, { maxOutputLength: outputLength || undefined }),
  BROTLI: (input, outputLength) => zlib.brotliDecompressSync(input, { maxOutputLength: outputLength || undefined }),
  // Node has zstd from version 22.15 on only.
  ZSTD: (input, outputLength) => decompress(input, new Uint8Array(outputLength)),
};

/**
 * One document a row of a Parquet file, read one row group at a time. A `.parquet.gz` is unpacked to a temporary file.
 *
 * @param rule see recordText
 * @throws UserError naming the file, and the row where it applies.
 */
export async function* parquetDocuments(file: string, rule?: string): AsyncGenerator<Document> {
  if (!/\.gz$/i.test(file)) return yield* parquetRows(file, file, rule);
  const folder = await mkdtemp(join(tmpdir(), "btx-parquet-"));
  try {
    const unpacked = join(folder, "unpacked.parquet");
    await pipeline(Readable.from(readBytes(file)), createWriteStream(unpacked));
    yield* parquetRows(unpacked, file, rule);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param name the file as its user knows it */
async function* parquetRows(path: string, name: string, rule?: string): AsyncGenerator<Document> {
  const handle = await openExisting(path);
  try {
    yield* rowsOf(handle, name, rule);
  } finally {
    await handle.close();
  }
}

async function* rowsOf(handle: FileHandle, name: string, rule?: string): AsyncGenerator<Document> {
  const buffer = await openParquet(handle, name);
  const metadata = await parquetMetadataAsync(buffer).catch((error: Error) => {
    throw notParquet(name, error.message);
  });
  const text = recordText(rule);
  const columns = parquetSchema(metadata).children.map((child) => child.element.name);
  for (const field of text.fields) if (!columns.includes(field)) throw missingField(field, columns, name);
  let row = 0;
  for (const [number, group] of metadata.row_groups.entries()) {
    const rowEnd = row + Number(group.num_rows);
    const bytes = group.columns
      .filter((column) => text.fields.includes(column.meta_data?.path_in_schema[0] ?? ""))
      .reduce((sum, column) => sum + Number(column.meta_data?.total_uncompressed_size ?? 0), 0);
    if (bytes > LARGEST_ROW_GROUP) {
      throw new UserError(
        `row group ${number} of ${name} has ${bytes} bytes of text: rewrite the file with row groups below 1 GiB`,
      );
    }
    const rows = await parquetReadObjects({
      file: buffer,
      metadata,
      columns: text.fields,
      rowStart: row,
      rowEnd,
      compressors,
    }).catch((error: Error) => {
      throw new UserError(`cannot read rows ${row} to ${rowEnd - 1} of ${name}: ${error.message}`);
    });
    for (const record of rows) yield text.of(record, `row ${row++} of ${name}`);
    row = rowEnd;
  }
}

/** The file's bytes after a look at the mark ("PAR1") with which a Parquet file begins and ends. */
async function openParquet(handle: FileHandle, name: string): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  const slice = async (start: number, end = size): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, done, Math.min(bytes.length - done, maxTransfer), start + done);
      if (bytesRead === 0) throw new UserError(`${name} became shorter while being read: do not change it meanwhile`);
      done += bytesRead;
    }
    return bytes.buffer;
  };
  if (size === 0) throw new UserError(`${name} is empty: remove it, or exclude it with a pattern that begins with "!"`);
  const marks = size < 12 ? [] : [await slice(0, 4), await slice(size - 4)];
  if (marks.map((mark) => Buffer.from(mark).toString("latin1")).join("") !== "PAR1PAR1")
    throw notParquet(name, "it does not begin and end with PAR1");
  return { byteLength: size, slice };
}

const notParquet = (name: string, why: string): UserError =>
  new UserError(`${name} is not a Parquet file, or is truncated (${why}): download or write it again`);
