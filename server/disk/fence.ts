import { dirname, resolve } from "node:path";
import { UserError } from "../protocol/errors.ts";

/**
 * What keeps a process that has lost a folder's lock from writing there. A lock that is held raises a fence around its
 * folder; everything in disk/ that writes below it proves first that the lock is still the newest.
 *
 * A process may be stopped between its proof and its write. So a growing file belongs to the process that opened it
 * (`append.ts`), and whoever takes a lock over first removes all temporary files (`removeLeftovers`): a rename that was
 * proved before then finds nothing to rename.
 */

/** Another process took the lock over while this one did not respond. */
export class TakenOver extends UserError {}

export interface Fence {
  /** Proves that the lock is still the newest; looks at the disk. @throws TakenOver */
  prove(): void;
  /** As `prove`, but looks at the disk at most once a second: cheap enough for every line of a file. */
  pass(): void;
}

/** How old a proof may be, ms. */
const proofMs = 1000;

const fences = new Map<string, Fence>();

/**
 * Raises a fence around a folder of this process.
 *
 * @param look throws TakenOver if the lock is no longer the newest.
 * @returns what removes it.
 */
export function raiseFence(folder: string, look: () => void): Fence & { remove(): void } {
  const at = resolve(folder);
  let lost: TakenOver | undefined;
  let [monotonic, clock] = [performance.now(), Date.now()];
  const prove = (): void => {
    if (lost !== undefined) throw lost;
    try {
      look();
    } catch (error) {
      if (error instanceof TakenOver) lost = error;
      throw error;
    }
    [monotonic, clock] = [performance.now(), Date.now()];
  };
  // The monotonic clock stands still while a computer sleeps, the other may be set back.
  const isOld = () => performance.now() - monotonic >= proofMs || Math.abs(Date.now() - clock) >= proofMs;
  const fence = {
    prove,
    pass() {
      if (lost !== undefined || isOld()) prove();
    },
    remove() {
      if (fences.get(at) === fence) fences.delete(at);
    },
  };
  fences.set(at, fence);
  return fence;
}

const open: Fence = { prove() {}, pass() {} };

/** The fence around `path`; one that lets everything pass if this process holds no lock there. */
export function fenceAround(path: string): Fence {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const fence = fences.get(folder);
    if (fence) return fence;
    if (dirname(folder) === folder) return open;
  }
}
