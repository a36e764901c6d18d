import { checkExperiment } from "../experiment/check.ts";
import { type Problem, sortProblems } from "../experiment/problem.ts";
import type { Snapshot } from "./snapshot.ts";

/** Pause in typing after which a text is checked, ms. */
const pause = 150;
/** How long mistakes in the text wait for the check of files, so that both appear at once, ms. */
const patience = 400;

interface Check {
  snapshot: Snapshot;
  timer: NodeJS.Timeout;
}

/**
 * Checks experiment files as `btx check` does, shortly after the last change. A newer version replaces an older one,
 * whose results are dropped; at most one check per file reads the disk at a time.
 */
export class Checker {
  readonly #publish: (snapshot: Snapshot, problems: Problem[]) => void;
  readonly #checks = new Map<string, Check>();
  readonly #looking = new Map<string, Promise<void>>();

  constructor(publish: (snapshot: Snapshot, problems: Problem[]) => void) {
    this.#publish = publish;
  }

  /** Checks this version instead of earlier ones. */
  update(snapshot: Snapshot, delay: number = pause): void {
    this.forget(snapshot.uri);
    const check: Check = { snapshot, timer: setTimeout(() => this.#check(check), delay) };
    this.#checks.set(snapshot.uri, check);
  }

  /** Stops checking a file. */
  forget(uri: string): void {
    clearTimeout(this.#checks.get(uri)?.timer);
    this.#checks.delete(uri);
  }

  #check(check: Check): void {
    const { snapshot } = check;
    const { experiment, problems } = snapshot.parsed;
    const { file, uri } = snapshot;
    const publish = (found: Problem[]): void => {
      if (this.#checks.get(uri) === check) this.#publish(snapshot, found);
    };
    if (!experiment || file === undefined) {
      publish(problems);
      return;
    }
    check.timer = setTimeout(() => publish(problems), patience);
    const look = async (): Promise<void> => {
      if (this.#checks.get(uri) !== check) return;
      try {
        publish(sortProblems([...problems, ...(await checkExperiment(experiment, file))]));
      } catch (error) {
        console.error(`checking ${file}:`, error);
        publish(problems);
      } finally {
        clearTimeout(check.timer);
      }
    };
    const looking = (this.#looking.get(uri) ?? Promise.resolve()).then(look);
    this.#looking.set(uri, looking);
  }
}
