import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { FileDigest, FileDigests } from "../protocol/stage.ts";
import { DamagedError, hasChanged } from "./damaged.ts";
import { Digest } from "./digest.ts";
import { diskError, hasCode } from "./errors.ts";
import { openRegular } from "./open.ts";

/** Digests of whole files, and comparing files with them. */

const pieceBytes = 1 << 20;

/**
 * Length and digest of a file, or of its first bytes.
 *
 * @param visit is told the bytes of each piece that was read; what it throws ends the reading.
 * @throws UserError for errors of the disk; an error with the code ENOENT where there is no file.
 */
export async function digestOfFile(
  path: string,
  visit: (bytes: number) => void = () => {},
  maxBytes = Infinity,
): Promise<FileDigest> {
  const handle = await openRegular(path);
  try {
    const digest = new Digest();
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (;;) {
      const wanted = Math.min(pieceBytes, maxBytes - digest.bytes);
      const { bytesRead } = await handle.read(piece, 0, wanted, null).catch((error: unknown) => {
        throw diskError(error, path, "read");
      });
      if (bytesRead === 0) return { bytes: digest.bytes, digest: digest.value };
      digest.update(piece.subarray(0, bytesRead));
      visit(bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Digests of files by their paths below `folder`. @throws as `digestOfFile` */
export async function digestsOfFiles(folder: string, names: Iterable<string>): Promise<FileDigests> {
  const digests: FileDigests = {};
  for (const name of names) digests[name] = await digestOfFile(join(folder, name));
  return digests;
}

/** Checks that a file is the one with this digest. @throws DamagedError if it is not, or is missing; also UserError. */
export const checkFile = (path: string, expected: FileDigest, visit?: (bytes: number) => void): Promise<void> =>
  check(path, expected, visit, Infinity);

/** Checks that a file begins with the bytes of this digest. @throws as `checkFile` */
export const checkBeginning = (path: string, expected: FileDigest, visit?: (bytes: number) => void): Promise<void> =>
  check(path, expected, visit, expected.bytes);

async function check(
  path: string,
  expected: FileDigest,
  visit: ((bytes: number) => void) | undefined,
  maxBytes: number,
): Promise<void> {
  let found: FileDigest;
  try {
    found = await digestOfFile(path, visit, maxBytes);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) throw new DamagedError(path, "it is missing");
    throw error;
  }
  checkDigest(path, found, expected);
}

/** What files that `checkOnce` has passed looked like. */
const passed = new Map<string, string>();
const maxPassed = 10_000;

/** `checkFile`, but only if the file looks different from the last time that it passed. @throws as `checkFile` */
export async function checkOnce(path: string, expected: FileDigest): Promise<void> {
  const look = await stat(path).then(
    ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino} ${expected.digest}`,
    () => undefined,
  );
  if (look !== undefined && passed.get(path) === look) return;
  await checkFile(path, expected);
  if (passed.size >= maxPassed) passed.clear();
  if (look !== undefined) passed.set(path, look);
}

/** @throws DamagedError if the digest found of a file is not the expected one. */
export function checkDigest(path: string, found: FileDigest, expected: FileDigest): void {
  if (found.bytes !== expected.bytes)
    throw new DamagedError(path, `it has ${found.bytes} bytes, but ${expected.bytes} were written`);
  if (found.digest !== expected.digest) throw new DamagedError(path, hasChanged);
}
