import { randomBytes } from "node:crypto";
import { constants, mkdirSync } from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "../protocol/errors.ts";

/** Whole files that appear at once or not at all, whatever is killed and whatever disk is full. */

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;

/** True for an error of the file system with one of these codes, as "ENOENT". */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  const code = codeOf(error);
  return code !== undefined && codes.includes(code);
}

/**
 * What a failed write to `path` means to its user: a UserError where they can do something about it, else the error
 * itself.
 */
export function diskError(error: unknown, path: string): unknown {
  switch (codeOf(error)) {
    case "ENOSPC":
      return new UserError(
        `the disk that holds ${path} is full: what was saved is not lost; free some space, then continue with \`btx resume\``,
      );
    case "EDQUOT":
      return new UserError(
        `the disk quota for ${path} is used up: what was saved is not lost; free some space, then continue with \`btx resume\``,
      );
    case "EROFS":
      return new UserError(`${path} is on a read-only file system: make it writable, or move the experiment elsewhere`);
    case "EACCES":
    case "EPERM":
      return new UserError(
        `no permission to write ${path}: change the folder's permissions, or move the experiment elsewhere`,
      );
    case "ENOTDIR":
      return new UserError(`${path} cannot be created, because a part of its path is a file: move that file away`);
    default:
      return error;
  }
}

/** Runs `work`, which writes to `path`; see `diskError`. */
export async function withDiskErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, path);
  }
}

/** As `withDiskErrors`, at once. */
export function withDiskErrorsSync<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, path);
  }
}

/**
 * Makes a folder and those above it; one that is there is left as it is. (Node's own recursive mkdir says ENOENT on a
 * read-only disk.)
 *
 * @throws UserError when the disk is full or may not be written.
 */
export function makeFolder(folder: string): void {
  withDiskErrorsSync(folder, () => {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (hasCode(error, "EEXIST")) return;
      if (!hasCode(error, "ENOENT") || dirname(folder) === folder) throw error;
      makeFolder(dirname(folder));
      makeFolder(folder);
    }
  });
}

/** Waits until a folder's entries are on disk. Windows knows no such thing and keeps them in order by itself. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A name beside `path` that no other writer uses. */
export const temporaryName = (path: string): string => `${path}.tmp-${process.pid}-${randomBytes(4).toString("hex")}`;

/**
 * Removes what killed writers left in `folder` and below. The caller must hold the folder's lock: the file of a live
 * writer would be removed too.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names) {
    if (/\.tmp-\d+-[0-9a-f]{8}$/.test(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** The largest single read or write: Linux moves at most 2 GiB at once. */
export const maxTransfer = 1 << 30;

/** Writes all of `bytes` at `position`, however many calls the system takes for it. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const length = Math.min(maxTransfer, bytes.byteLength - done);
    const { bytesWritten } = await handle.write(bytes, done, length, position + done);
    done += bytesWritten;
  }
}

/**
 * Writes a file under a temporary name in the same folder, syncs it to disk and renames it: a reader, or a start after
 * SIGKILL, finds either the old file or the complete new one. If `write` or the disk fails, the target is untouched and
 * the temporary file is removed.
 *
 * @throws UserError when the disk is full or may not be written.
 */
export async function replaceFile(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  await withDiskErrors(path, async () => {
    try {
      const handle = await open(temporary, "wx");
      try {
        await write(handle);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    await syncFolder(dirname(path));
  });
}

/** `replaceFile` with text (as UTF-8) or bytes. */
export function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? Buffer.from(data, "utf8") : data;
  return replaceFile(path, (handle) => writeAll(handle, bytes, 0));
}

/** `writeFileAtomic` with JSON, indented for people. */
export function writeJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
