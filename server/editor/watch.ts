import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { runPathsIn, runsFolder } from "../runs/layout.ts";
import { lockHolder } from "../runs/lock.ts";

/**
 * Notices that runs began, ended or were removed. It looks at times of files instead of asking the system to tell it of
 * changes: that works on disks of other machines, too, and costs a few calls a run.
 */

/** How often, ms. */
const period = 1000;
/** Of a folder with more runs than this, older ones are looked at only now and then. */
const recent = 50;
const seldom = 10;

export class RunWatch {
  readonly #changed: (roots: string[]) => void;
  /** What each run folder looked like, run by run. */
  #seen = new Map<string, Map<string, string>>();
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;
  #looking: Promise<void> | undefined;

  /** @param changed is told the run folders in which something changed. */
  constructor(changed: (roots: string[]) => void) {
    this.#changed = changed;
  }

  /** Watches these run folders and no others. */
  watch(roots: string[]): void {
    const before = this.#seen;
    this.#seen = new Map(roots.map((root) => [root, before.get(root) ?? new Map()]));
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (roots.length === 0) return;
    this.#timer = setInterval(() => void this.look(), period);
    void this.look();
  }

  /** Looks now, and again a period later. One look at a time. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#seen.clear();
  }

  async #look(): Promise<void> {
    const all = this.#turn++ % seldom === 0;
    const changed: string[] = [];
    for (const [root, before] of this.#seen) {
      const ids = (await readdir(runsFolder(root)).catch(() => [] as string[])).sort();
      const old = all ? [] : ids.slice(0, -recent);
      const now = new Map(old.map((id) => [id, before.get(id) ?? ""]));
      for (const id of ids.slice(old.length)) now.set(id, await appearance(join(runsFolder(root), id)));
      const same = now.size === before.size && [...now].every(([id, look]) => before.get(id) === look);
      if (!same && this.#seen.get(root) === before) {
        this.#seen.set(root, now);
        changed.push(root);
      }
    }
    if (changed.length > 0) this.#changed(changed);
  }
}

/** A text that changes when what a list says of the run does. */
async function appearance(folder: string): Promise<string> {
  const { record, report } = runPathsIn(folder);
  const time = async (path: string) => (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
  return `${await time(record)} ${await time(report)} ${lockHolder(folder)?.pid ?? ""}`;
}
