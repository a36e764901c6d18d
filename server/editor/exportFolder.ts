import { createWriteStream, existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { syncFolder, temporaryName } from "../disk/atomic.ts";
import { withDiskErrors } from "../disk/errors.ts";
import { openRegular } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";

/**
 * Copies a folder of files to a new folder, which appears only once complete. Returns its size in bytes.
 *
 * @throws UserError if there is nothing to copy, the target exists, the disk is full or the copy is cancelled.
 */
export async function copyFolder(from: string, to: string, signal: AbortSignal): Promise<number> {
  if (!existsSync(from)) throw new UserError(`${from} does not exist: the stage has not made a model yet`);
  if (existsSync(to)) throw new UserError(`${to} already exists: choose another name`);
  const draft = temporaryName(to);
  let bytes = 0;
  try {
    await withDiskErrors(to, async () => {
      await mkdir(draft, { recursive: true });
      for (const entry of await readdir(from, { withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(from, entry.name);
        const file = await openRegular(path);
        await pipeline(file.createReadStream(), createWriteStream(join(draft, entry.name)), { signal });
        bytes += (await stat(path)).size;
      }
      await rename(draft, to);
      await syncFolder(dirname(to));
    });
    return bytes;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (signal.aborted) throw new UserError("the export was cancelled: nothing was written");
    throw error;
  }
}
