import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { UserError } from "../protocol/errors.ts";
import { diskError, hasCode } from "./errors.ts";
import { assertInReach, assertInReachSync } from "./reach.ts";

/**
 * The one way in which a file that a path names is opened for reading: a regular file only, without waiting for the
 * other end of a named pipe, at most so many bytes, within a time limit. So no path that a file or a folder names can
 * hang a process or fill its memory.
 */

/** A named pipe is opened without waiting for its writer, a terminal without taking control of it. */
const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/** How long reading a file may take, ms. */
const patienceMs = 30_000;

const mebibytes = (bytes: number): string =>
  `${(bytes / 2 ** 20).toLocaleString("en", { maximumFractionDigits: 0 })} MiB`;

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}

function assertRegular(path: string, stats: Stats): void {
  if (!stats.isFile())
    throw new UserError(`${path} is ${kindOf(stats)}, but must be a regular file: remove or replace it`);
}

const tooLong = (path: string, maxBytes: number): UserError =>
  new UserError(
    `${path} is larger than ${mebibytes(maxBytes)}, the most that is read of such a file: check that it is the right file`,
  );

/**
 * @param late takes what the work gives after nobody waits for it any more.
 * @throws UserError after `patienceMs`; the work goes on.
 */
async function within<T>(path: string, work: Promise<T>, late: (value: T) => unknown = () => {}): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<never>((_, reject) => {
    const error = new UserError(
      `${path} could not be read within ${patienceMs / 1000} seconds: check the disk or the network that holds it, then try again`,
    );
    timer = setTimeout(() => {
      reject(error);
      work.then(late, () => {});
    }, patienceMs);
  });
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Opens a regular file for reading.
 *
 * @throws UserError for anything else than a regular file and for errors of the disk; an error with the code ENOENT or
 * ENOTDIR where there is no file.
 */
export async function openRegular(path: string): Promise<FileHandle> {
  return await within(path, openedRegular(path), (handle) => handle.close());
}

/** As `openRegular`, for a file that must exist. @throws UserError also where there is no file. */
export async function openExisting(path: string): Promise<FileHandle> {
  try {
    return await openRegular(path);
  } catch (error) {
    throw diskError(error, path, "read");
  }
}

async function openedRegular(path: string): Promise<FileHandle> {
  await assertInReach(path);
  let handle: FileHandle;
  try {
    handle = await open(path, flags);
  } catch (error) {
    throw readError(error, path);
  }
  try {
    assertRegular(path, await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw readError(error, path);
  }
}

/** Errors of a path at which there cannot be anything. */
const nothing = ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "ERR_INVALID_ARG_VALUE"];

/**
 * What is at a path; undefined where there is nothing.
 *
 * @throws UserError where the path may not be read (`reach.ts`), or the disk fails or does not answer in time.
 */
export async function statsOf(path: string): Promise<Stats | undefined> {
  await assertInReach(path);
  return await within(
    path,
    stat(path).catch((error: unknown) => {
      if (hasCode(error, ...nothing)) return undefined;
      throw diskError(error, path, "read");
    }),
  );
}

/** Synchronous `openRegular`; returns a file descriptor. */
export function openRegularSync(path: string): number {
  assertInReachSync(path);
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    throw readError(error, path);
  }
  try {
    assertRegular(path, fstatSync(fd));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw readError(error, path);
  }
}

/** A missing file stays an error with its code, because many callers take it for an empty one. */
function readError(error: unknown, path: string): unknown {
  if (hasCode(error, "ENXIO"))
    return new UserError(`${path} is a socket or a device, but must be a regular file: remove or replace it`);
  return hasCode(error, "ENOENT", "ENOTDIR") ? error : diskError(error, path, "read");
}

/**
 * Reads a regular file whole.
 *
 * @throws UserError if it is larger than `maxBytes`; also as `openRegular`.
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  return await within(path, readWhole(path, maxBytes));
}

async function readWhole(path: string, maxBytes: number): Promise<Buffer> {
  const handle = await openedRegular(path);
  try {
    // A file below /proc reports no size, and a file may grow meanwhile.
    const chunks = new Chunks(path, maxBytes, (await handle.stat()).size);
    for (;;) {
      const { buffer, offset, length } = chunks.space();
      const { bytesRead } = await handle.read(buffer, offset, length, null);
      if (bytesRead === 0) return chunks.whole();
      chunks.take(bytesRead);
    }
  } catch (error) {
    throw readError(error, path);
  } finally {
    await handle.close();
  }
}

/** Reads at most `maxBytes` of a regular file from `offset` on. @throws as `openRegular` */
export async function readPiece(path: string, offset: number, maxBytes: number): Promise<Buffer> {
  const handle = await openRegular(path);
  try {
    const { buffer, bytesRead } = await within(path, handle.read(Buffer.alloc(maxBytes), 0, maxBytes, offset));
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Synchronous `readBounded`, without a time limit. */
export function readBoundedSync(path: string, maxBytes: number): Buffer {
  const fd = openRegularSync(path);
  try {
    const chunks = new Chunks(path, maxBytes, fstatSync(fd).size);
    for (;;) {
      const { buffer, offset, length } = chunks.space();
      const bytesRead = readSync(fd, buffer, offset, length, null);
      if (bytesRead === 0) return chunks.whole();
      chunks.take(bytesRead);
    }
  } catch (error) {
    throw readError(error, path);
  } finally {
    closeSync(fd);
  }
}

/** The largest single read: Linux moves at most 2 GiB at once. */
const maxRead = 1 << 30;

/** Bytes of a file of which `size` are expected, but only `maxBytes` allowed. */
class Chunks {
  readonly #path: string;
  readonly #maxBytes: number;
  #buffer: Buffer;
  #used = 0;

  constructor(path: string, maxBytes: number, size: number) {
    if (size > maxBytes) throw tooLong(path, maxBytes);
    this.#path = path;
    this.#maxBytes = maxBytes;
    // One byte more than expected, so that the end of the file is found without another buffer.
    this.#buffer = Buffer.allocUnsafe(size + 1);
  }

  /** Where the next bytes are to be read to. */
  space(): { buffer: Buffer; offset: number; length: number } {
    if (this.#used === this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(65_536, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, this.#used);
      this.#buffer = larger;
    }
    return { buffer: this.#buffer, offset: this.#used, length: Math.min(maxRead, this.#buffer.length - this.#used) };
  }

  take(bytes: number): void {
    this.#used += bytes;
    if (this.#used > this.#maxBytes) throw tooLong(this.#path, this.#maxBytes);
  }

  whole(): Buffer {
    return this.#buffer.subarray(0, this.#used);
  }
}
