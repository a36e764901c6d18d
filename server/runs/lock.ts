import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { makeFolder } from "../disk/atomic.ts";
import { hasCode, withDiskErrorsSync } from "../disk/errors.ts";
import { raiseFence, TakenOver } from "../disk/fence.ts";
import { readBoundedSync } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import { isRunning, processSpace, processStart } from "./process.ts";

/**
 * The lock of a stage's or run's folder: files `lock.<n>`, of which only the highest counts. Its content names the
 * holder; an empty file means released.
 *
 * If the highest file, n, is released or its holder is dead, a process takes the lock by creating n + 1: it links a
 * complete file, which fails if n + 1 exists. The highest file is never removed, only emptied, so numbers are never
 * reused and only one process creates n + 1. A slow process whose number is no longer the highest backs off. So at most
 * one process holds the lock, and of several that compete for it one gets it.
 *
 * On this machine a holder is alive while its process runs; the start time rules out a later process with the same id.
 * On another machine it is alive if it has touched its file within the last minute. So a process that is stopped for
 * longer loses its lock; the number of the lock file is its fencing token. While a lock is held, whatever disk/ writes
 * in its folder proves first that this number is still the highest (`disk/fence.ts`).
 */

const holderSchema = z.object({
  pid: z.int().min(1),
  /** Start time of the process, if the system reports it. */
  start: z.string().optional(),
  host: z.string(),
  /** Host, boot and container: where `pid` means this process. */
  space: z.string(),
  /** Process id of the runner that started it. */
  runner: z.int().optional(),
});
export type LockHolder = z.infer<typeof holderSchema>;

/** Whether a holder's process can be seen from this one; if not, only its file says whether it lives. */
export const isElsewhere = (holder: LockHolder): boolean => holder.space !== processSpace;

export interface Lock {
  /** Touches the lock file, for readers on other machines. A timer does so by itself while the event loop turns. */
  refresh(): void;
  /** @throws TakenOver when another process took the lock, because this one did not touch it for a minute. */
  check(): void;
  /** Releases the lock. A second call does nothing. */
  release(): void;
}

/** The lock is held by a living process. */
export class LockedError extends UserError {
  readonly holder: LockHolder;

  constructor(message: string, holder: LockHolder) {
    super(message);
    this.holder = holder;
  }
}

/** A holder on another machine that has not touched its file for so long counts as dead, ms. */
const silenceMs = 60_000;
const refreshMs = 15_000;
/** The most of a lock file that is read. */
const maxLockBytes = 64 << 10;

const lockPath = (folder: string, generation: number): string => join(folder, `lock.${generation}`);

/** Numbers of all lock files in a folder, ascending. */
function generations(folder: string): number[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
  return names
    .map((name) => /^lock\.([1-9]\d{0,14})$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

type Found = { holder: LockHolder; touched: number } | "released" | "gone";

function readLock(path: string): Found {
  try {
    const parsed = holderSchema.safeParse(JSON.parse(readBoundedSync(path, maxLockBytes).toString("utf8")));
    return parsed.success ? { holder: parsed.data, touched: statSync(path).mtimeMs } : "released";
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "gone";
    // Files are linked whole: what cannot be parsed was emptied, or lost in a power failure with its holder.
    if (error instanceof SyntaxError) return "released";
    throw error;
  }
}

/** @param now ms, by the clock of the disk where possible. */
function isAlive(found: Found, now: number): found is Exclude<Found, string> {
  if (typeof found === "string") return false;
  const { holder, touched } = found;
  if (!isElsewhere(holder)) return isRunning(holder.pid, holder.start);
  return now - touched < silenceMs;
}

/** The holder of a folder's lock; undefined if it is free. */
export function lockHolder(folder: string): LockHolder | undefined {
  for (;;) {
    const highest = generations(folder).at(-1);
    if (highest === undefined) return undefined;
    const found = readLock(lockPath(folder, highest));
    if (found === "gone") continue;
    return isAlive(found, Date.now()) ? found.holder : undefined;
  }
}

export interface LockOptions {
  /** Process id of the runner that started this process. */
  runner?: number | undefined;
  /** Takes the lock from a process on another machine at once, without waiting until it has been silent for a minute. */
  takeOver?: boolean;
}

/**
 * Takes the lock of a folder.
 *
 * @param what for the error, as `stage "expert:code"`.
 * @throws LockedError when a living process holds it, naming that process; UserError when the folder cannot be written.
 */
export function acquireLock(folder: string, what: string, { runner, takeOver = false }: LockOptions = {}): Lock {
  const start = processStart(process.pid);
  const holder: LockHolder = {
    pid: process.pid,
    ...(start === undefined ? {} : { start }),
    host: hostname(),
    space: processSpace,
    ...(runner === undefined ? {} : { runner }),
  };
  const content = JSON.stringify(holder);
  const draft = join(folder, `lock.tmp-${process.pid}-${randomBytes(4).toString("hex")}`);
  return withDiskErrorsSync(join(folder, "lock"), () => {
    makeFolder(folder);
    try {
      return held(folder, what, content, takeGeneration(folder, what, content, { draft, takeOver }));
    } finally {
      rmSync(draft, { force: true });
    }
  });
}

/** Makes the highest lock file out of `draft` and returns its number. */
function takeGeneration(
  folder: string,
  what: string,
  content: string,
  { draft, takeOver }: { draft: string; takeOver: boolean },
): number {
  for (;;) {
    writeFileSync(draft, content);
    const before = generations(folder);
    const highest = before.at(-1) ?? 0;
    if (highest > 0) {
      const found = readLock(lockPath(folder, highest));
      if (found === "gone") continue;
      // A file just written has the disk's own idea of now.
      const now = statSync(draft).mtimeMs;
      if (isAlive(found, now) && !(takeOver && isElsewhere(found.holder)))
        throw new LockedError(refusal(what, found.holder, now - found.touched), found.holder);
    }
    const mine = highest + 1;
    if (!linkIfFree(draft, lockPath(folder, mine))) continue;
    if (generations(folder).at(-1) === mine) {
      for (const older of before) rmSync(lockPath(folder, older), { force: true });
      return mine;
    }
    rmSync(lockPath(folder, mine), { force: true });
  }
}

function linkIfFree(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    // ENOENT: the lock's holder swept the draft away with what killed processes left.
    if (hasCode(error, "EEXIST", "ENOENT")) return false;
    if (hasCode(error, "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EPERM"))
      throw new UserError(
        `the file system of ${path} has no hard links, which locks need: move the experiment to another disk`,
      );
    throw error;
  }
}

/** @param silent how long ago the holder last touched its file, ms. */
function refusal(what: string, holder: LockHolder, silent: number): string {
  const { pid, host, runner } = holder;
  const by = runner === undefined ? "" : `, started by process ${runner}`;
  const running = `${what} is being run by process ${pid} on ${host}${by}`;
  if (!isElsewhere(holder)) return `${running}: wait for it, or stop it with \`btx stop\``;
  const seconds = (ms: number) => Math.max(0, Math.round(ms / 1000));
  return `${running}, which last showed that it lives ${seconds(silent)} seconds ago: stop it with \`btx stop\`; if it is gone, try again in ${seconds(silenceMs - silent)} seconds, or take the run over now with \`btx resume --take-over\``;
}

function held(folder: string, what: string, content: string, generation: number): Lock {
  const path = lockPath(folder, generation);
  const fd = openSync(path, "r+");
  let released = false;
  const refresh = (): void => {
    // The same bytes again: a reader sees no difference, and the disk's own clock gives the time.
    if (!released) writeSync(fd, content, 0);
  };
  const timer = setInterval(() => {
    try {
      refresh();
    } catch {
      // The fence reports a lock that was taken over; a disk that fails once is no reason to stop.
    }
  }, refreshMs).unref();
  const look = (): void => {
    if (!released) assertNewest(folder, what, generation);
  };
  const fence = raiseFence(folder, look);
  return {
    refresh,
    check: fence.prove,
    release() {
      if (released) return;
      released = true;
      fence.remove();
      clearInterval(timer);
      ftruncateSync(fd, 0);
      closeSync(fd);
    },
  };
}

/** @throws TakenOver if `generation` is no longer the newest lock of the folder. */
function assertNewest(folder: string, what: string, generation: number): void {
  const own = lockPath(folder, generation);
  for (;;) {
    const newest = generations(folder).at(-1) ?? 0;
    // A folder on a network disk may be listed as it was a while ago; a file is asked for when it is opened.
    const isThere = exists(own);
    if (newest === generation && isThere) return;
    if (newest > generation) throw takenOver(what, readLock(lockPath(folder, newest)));
    // A listing may miss files that are made and removed while it is read: what counts is whether its own is there.
    if (isThere) continue;
    if (existsSync(folder)) throw takenOver(what, "gone");
    throw new TakenOver(
      `${folder} was removed or moved while ${what} was running: put it back, then continue with \`btx resume\``,
    );
  }
}

/** @param by what the newest lock says. */
function takenOver(what: string, by: Found): TakenOver {
  const whom = typeof by === "string" ? "another process" : `process ${by.holder.pid} on ${by.holder.host}`;
  return new TakenOver(
    `${what} was taken over by ${whom}, because this process did not respond for a minute: this one stops, and nothing that it did since is kept`,
  );
}

function exists(path: string): boolean {
  try {
    closeSync(openSync(path, "r"));
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "ESTALE")) return false;
    throw error;
  }
}
