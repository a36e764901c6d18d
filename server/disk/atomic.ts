import { randomBytes } from "node:crypto";
import { constants, mkdirSync, renameSync } from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode, withDiskErrors, withDiskErrorsSync } from "./errors.ts";
import { fenceAround } from "./fence.ts";
import { sealed } from "./seal.ts";

/** Whole files that appear at once or not at all, whatever is killed and whatever disk is full. */

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

/** Whether a file or folder has a name of `temporaryName`. */
export const isTemporary = (name: string): boolean => /\.tmp-\d+-[0-9a-f]{8}$/.test(name);

/**
 * Removes what killed writers left in `folder` and below. The caller must hold the folder's lock: the file of a live
 * writer would be removed too. A process that lost the lock and has not noticed yet then finds nothing to rename.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  for (const name of names) if (isTemporary(name)) await removeTemporary(join(folder, name));
}

/** Under another name first: a folder that is removed file by file could be renamed by its writer half empty. */
async function removeTemporary(path: string): Promise<void> {
  const aside = temporaryName(path);
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return;
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/**
 * Gives what was written under a temporary name, a file or a folder, its own name, and waits until that is on disk.
 *
 * @throws TakenOver if another process has taken the lock over.
 */
export async function renameInto(temporary: string, path: string): Promise<void> {
  const fence = fenceAround(path);
  fence.prove();
  try {
    await rename(temporary, path);
  } catch (error) {
    // Who took the lock over has removed the temporary file.
    fence.prove();
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Synchronous `renameInto`, which leaves it to the caller to sync the folder. @throws TakenOver */
export function renameIntoSync(temporary: string, path: string): void {
  const fence = fenceAround(path);
  fence.prove();
  try {
    renameSync(temporary, path);
  } catch (error) {
    fence.prove();
    throw error;
  }
}

/**
 * Removes a file or a folder with all that is in it, if it is there.
 *
 * @throws TakenOver if another process has taken the lock over; UserError of the disk.
 */
export async function remove(path: string): Promise<void> {
  fenceAround(path).prove();
  await withDiskErrors(path, () => rm(path, { recursive: true, force: true }));
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
 * @throws UserError when the disk is full or may not be written; TakenOver if another process has taken the lock over.
 */
export async function replaceFile(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  await withDiskErrors(path, async () => {
    try {
      const handle = await open(temporary, "wx+");
      try {
        await write(handle);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await renameInto(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  });
}

/** `replaceFile` with text (as UTF-8) or bytes. */
export function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? Buffer.from(data, "utf8") : data;
  return replaceFile(path, (handle) => writeAll(handle, bytes, 0));
}

/** `writeFileAtomic` with JSON that ends with its digest; `parseSealed` reads it. */
export function writeJson(path: string, value: object): Promise<void> {
  return writeFileAtomic(path, sealed(value));
}
