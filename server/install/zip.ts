import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";

/** A file in a zip archive. Field offsets: PKWARE's APPNOTE, 4.3. */
interface Entry {
  name: string;
  /** 0: stored, 8: deflated. */
  method: number;
  compressed: number;
  /** Where its local header begins. */
  header: number;
}

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
/** Bytes of an end record, and of the longest comment after it. */
const endBytes = 22;
const longestComment = 0xffff;

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw new Error("the archive is truncated");
  return buffer;
}

async function entries(file: FileHandle): Promise<Entry[]> {
  const { size } = await file.stat();
  const length = Math.min(size, endBytes + longestComment);
  const tail = await bytesAt(file, size - length, length);
  let end = tail.length - endBytes;
  while (end >= 0 && tail.readUInt32LE(end) !== endSignature) end--;
  if (end < 0) throw new Error("it is not a zip archive");
  const directory = await bytesAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  const found: Entry[] = [];
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === entrySignature; ) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => directory.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    found.push({
      name: directory.toString("utf8", at + 46, at + 46 + name),
      method: directory.readUInt16LE(at + 10),
      compressed: directory.readUInt32LE(at + 20),
      header: directory.readUInt32LE(at + 42),
    });
    at += 46 + name + extra + comment;
  }
  return found;
}

/**
 * Unpacks files of a zip archive into a folder. `names` are the last parts of their paths in the archive, and their
 * paths in the folder.
 *
 * @throws Error if the archive lacks one of them or cannot be read.
 */
export async function extract(
  archive: string,
  names: readonly string[],
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const file = await open(archive);
  try {
    const all = await entries(file);
    for (const wanted of names) {
      const entry = all.find(({ name }) => `/${name}`.endsWith(`/${wanted}`));
      if (!entry) throw new Error(`${basename(archive)} has no file ${wanted}`);
      const local = await bytesAt(file, entry.header, 30);
      const start = entry.header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
      const packed = createReadStream(archive, { start, end: start + entry.compressed - 1 });
      await mkdir(dirname(join(folder, wanted)), { recursive: true });
      const to = createWriteStream(join(folder, wanted), { mode: 0o755 });
      const options = signal ? { signal } : {};
      if (entry.method === 0) await pipeline(packed, to, options);
      else if (entry.method === 8) await pipeline(packed, createInflateRaw(), to, options);
      else throw new Error(`${basename(archive)} uses a compression method other than deflate`);
    }
  } finally {
    await file.close();
  }
}
