import { readlinkSync, realpathSync } from "node:fs";
import { readlink, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { UserError } from "../protocol/errors.ts";

/**
 * What this process may read. In a workspace that is not trusted, a file may name any path, so that only paths inside
 * the workspace are read; a link that leads out of it counts as outside.
 */

/** The folders inside which this process may read; undefined: everywhere. */
let folders: () => readonly string[] | undefined = () => undefined;

/** @param allowed is called whenever something is read, so that its answer may change. */
export function limitReach(allowed: () => readonly string[] | undefined): void {
  folders = allowed;
}

/** What was given to `limitReach`, for another thread. */
export const reachableFolders = (): readonly string[] | undefined => folders();

/** A path outside the folders of `limitReach`. */
export class OutOfReachError extends UserError {
  constructor(path: string) {
    super(`${path} is outside the workspace: it is checked once the workspace is trusted`);
  }
}

/** @throws OutOfReachError for a path that may not be read; the path need not exist. */
export async function assertInReach(path: string): Promise<void> {
  const allowed = folders();
  if (!allowed) return;
  const roots = await Promise.all(allowed.map(async (folder) => [resolve(folder), await realPathOf(resolve(folder))]));
  // Compared as text first: even looking at a path elsewhere may mount a disk or reach another machine.
  if (!isInside(path, roots.flat())) throw new OutOfReachError(path);
  if (!isInside(await realPathOf(resolve(path)), roots.flat())) throw new OutOfReachError(path);
}

/** Synchronous `assertInReach`. */
export function assertInReachSync(path: string): void {
  const allowed = folders();
  if (!allowed) return;
  const roots = allowed.flatMap((folder) => [resolve(folder), realPathOfSync(resolve(folder))]);
  if (!isInside(path, roots) || !isInside(realPathOfSync(resolve(path)), roots)) throw new OutOfReachError(path);
}

const comparable = (path: string): string => (process.platform === "win32" ? path.toLowerCase() : path);

const isInside = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => {
    const rest = relative(comparable(root), comparable(resolve(path)));
    return !(rest === ".." || rest.startsWith(`..${sep}`) || isAbsolute(rest));
  });

/** Links that are followed one after the other, as by Linux. */
const maxLinks = 40;

/** The path without links; one that does not exist, as far as it does. */
async function realPathOf(path: string, links = 0): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const target = await readlink(path).catch(() => undefined);
    if (target !== undefined && links < maxLinks) return await realPathOf(resolve(dirname(path), target), links + 1);
    return isRoot(path) ? path : join(await realPathOf(dirname(path), links), basename(path));
  }
}

function realPathOfSync(path: string, links = 0): string {
  try {
    return realpathSync.native(path);
  } catch {
    const target = linkTarget(path);
    if (target !== undefined && links < maxLinks) return realPathOfSync(resolve(dirname(path), target), links + 1);
    return isRoot(path) ? path : join(realPathOfSync(dirname(path), links), basename(path));
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

const isRoot = (path: string): boolean => dirname(path) === path;
