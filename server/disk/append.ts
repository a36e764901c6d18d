import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { z } from "zod";
import { UserError } from "../protocol/errors.ts";
import type { FileDigest } from "../protocol/stage.ts";
import { renameIntoSync, temporaryName } from "./atomic.ts";
import { Digest } from "./digest.ts";
import { hasCode, withDiskErrorsSync } from "./errors.ts";
import { type Fence, fenceAround } from "./fence.ts";
import { parseLine, splitLines } from "./lines.ts";
import { openRegularSync } from "./open.ts";

/**
 * Append-only files: one write a line or record, so that a killed writer leaves at most one torn item at the end, which
 * the next writer cuts off. One writer a file (who holds the stage's lock), any number of readers.
 *
 * Each writer has a file of its own: who opens one that is there goes on with a copy that takes its name. What a writer
 * that has lost the lock still writes goes into a file without a name, and is never part of the result.
 */

/** Opens `path` with what is in it, as a file that no other process has open for writing. */
function openOwn(path: string): number {
  const own = temporaryName(path);
  try {
    closeSync(openRegularSync(path));
    copyFileSync(path, own, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } catch (error) {
    rmSync(own, { force: true });
    if (hasCode(error, "ENOENT")) return openSync(path, "a+");
    throw error;
  }
  const fd = openSync(own, "a+");
  try {
    fsyncSync(fd);
    renameIntoSync(own, path);
    return fd;
  } catch (error) {
    closeSync(fd);
    rmSync(own, { force: true });
    throw error;
  }
}

/** A file that grows, as far as it was written. */
export interface GrownFile {
  readonly path: string;
  readonly digest: FileDigest;
}

/** An open file that grows by whole items; a failed write leaves no partial item. */
class GrowingFile implements GrownFile {
  readonly path: string;
  readonly #fence: Fence;
  #fd: number;
  #bytes: number;
  /** Of all bytes; absent until it is needed. */
  #digest: Digest | undefined;

  constructor(path: string) {
    this.path = path;
    this.#fence = fenceAround(path);
    this.#fd = withDiskErrorsSync(path, () => openOwn(path));
    this.#bytes = fstatSync(this.#fd).size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get digest(): FileDigest {
    this.#digest ??= this.#digestOfAll();
    return { bytes: this.#bytes, digest: this.#digest.value };
  }

  append(item: Uint8Array): void {
    this.#fence.pass();
    this.#digest ??= this.#digestOfAll();
    withDiskErrorsSync(this.path, () => {
      try {
        let done = 0;
        while (done < item.byteLength) done += writeSync(this.#fd, item, done, item.byteLength - done);
      } catch (error) {
        ftruncateSync(this.#fd, this.#bytes);
        throw error;
      }
    });
    this.#bytes += item.byteLength;
    this.#digest.update(item);
  }

  truncate(bytes: number): void {
    if (bytes === this.#bytes) return;
    this.#fence.prove();
    withDiskErrorsSync(this.path, () => ftruncateSync(this.#fd, bytes));
    this.#bytes = bytes;
    this.#digest = undefined;
  }

  #digestOfAll(): Digest {
    const digest = new Digest();
    const piece = Buffer.alloc(Math.min(this.#bytes, 1 << 20));
    withDiskErrorsSync(
      this.path,
      () => {
        while (digest.bytes < this.#bytes) {
          const wanted = Math.min(piece.length, this.#bytes - digest.bytes);
          const count = readSync(this.#fd, piece, 0, wanted, digest.bytes);
          if (count === 0) throw new UserError(`${this.path} became shorter: another program is changing it`);
          digest.update(piece.subarray(0, count));
        }
      },
      "read",
    );
    return digest;
  }

  readAll(): Buffer {
    const all = Buffer.alloc(this.#bytes);
    let done = 0;
    while (done < all.length) {
      const length = Math.min(all.length - done, 1 << 30);
      const count = withDiskErrorsSync(this.path, () => readSync(this.#fd, all, done, length, done), "read");
      if (count === 0) break;
      done += count;
    }
    return all.subarray(0, done);
  }

  sync(): void {
    withDiskErrorsSync(this.path, () => fsyncSync(this.#fd));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Adds text to a file that several processes may add to, such as a log. @throws UserError of the disk, TakenOver */
export function appendText(path: string, text: string): void {
  fenceAround(path).pass();
  withDiskErrorsSync(path, () => {
    const fd = openToAppend(path);
    try {
      writeFileSync(fd, text);
    } finally {
      closeSync(fd);
    }
  });
}

/** Opens a regular file to add to it, and makes it if need be. @throws UserError for anything but a regular file. */
export function openToAppend(path: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK = 0 } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o666);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new UserError(`${path} is not a regular file: remove it`);
}

export interface LineAppender<T> extends GrownFile {
  append(item: T): void;
  /**
   * Keeps the longest prefix whose items all satisfy `keep`, and drops the rest. Used on resume to keep the items up to
   * the step of the saved training state.
   *
   * @returns the number of items kept.
   */
  truncateTo(keep: (item: T) => boolean): number;
  /** Waits until all items are on disk. */
  sync(): void;
  close(): void;
}

/**
 * Opens a JSON Lines file for appending; creates it if needed and truncates an incomplete last line.
 *
 * @throws UserError when the disk is full or may not be written; TakenOver, as every later write, if another process
 * has taken the lock over.
 */
export function openLines<T>(path: string, schema: z.ZodType<T>): LineAppender<T> {
  const file = new GrowingFile(path);
  file.truncate(file.readAll().lastIndexOf(0x0a) + 1);
  return {
    path,
    get digest() {
      return file.digest;
    },
    append: (item) => file.append(Buffer.from(`${JSON.stringify(item)}\n`, "utf8")),
    truncateTo(keep) {
      let kept = 0;
      let bytes = 0;
      for (const line of splitLines(file.readAll())) {
        if (!keep(parseLine(line.text, schema, path, kept + 1))) break;
        kept++;
        bytes = line.end;
      }
      file.truncate(bytes);
      return kept;
    },
    sync: () => file.sync(),
    close: () => file.close(),
  };
}

export interface RecordAppender extends GrownFile {
  /** Whole records in the file. */
  readonly count: number;
  /** @param record `size` values. */
  append(record: Float32Array): void;
  /** Keeps the first `count` records. @throws UserError when there are fewer. */
  truncateTo(count: number): void;
  /** Waits until all records are on disk. */
  sync(): void;
  close(): void;
}

/**
 * Opens a file of float32 records of `size` values for appending; creates it if needed, truncates an incomplete record.
 *
 * @throws UserError when the disk is full or may not be written.
 */
export function openRecords(path: string, size: number): RecordAppender {
  const file = new GrowingFile(path);
  const recordBytes = size * 4;
  file.truncate(file.bytes - (file.bytes % recordBytes));
  return {
    path,
    get digest() {
      return file.digest;
    },
    get count() {
      return file.bytes / recordBytes;
    },
    append(record) {
      if (record.length !== size) throw new Error(`a record of ${path} has ${size} values, not ${record.length}`);
      file.append(new Uint8Array(record.buffer, record.byteOffset, record.byteLength));
    },
    truncateTo(count) {
      if (count * recordBytes > file.bytes)
        throw new UserError(
          `${path} holds ${file.bytes / recordBytes} records instead of ${count}: delete the stage's folder to run the stage again`,
        );
      file.truncate(count * recordBytes);
    },
    sync: () => file.sync(),
    close: () => file.close(),
  };
}
