import { type Problem, sortProblems } from "../experiment/problem.ts";
import type { Experiment } from "../experiment/resolve.ts";
import { UserError } from "../protocol/errors.ts";
import type { Ask } from "./lookups/questions.ts";
import type { Snapshot } from "./snapshot.ts";

/** Pause in typing after which a text is checked, ms. */
const pause = 150;
/** How long mistakes in the text wait for the check of files, so that both appear at once, ms. */
const patience = 400;
/** How long the check of files may take, ms. */
const longest = 30_000;

interface Check {
  snapshot: Snapshot;
  timer: NodeJS.Timeout;
  /** Drops the check of files. */
  dropped: AbortController;
}

/**
 * Checks experiment files as `btx check` does, shortly after the last change. A newer version replaces an older one,
 * whose results are dropped. The files that a text names are looked at elsewhere (`Ask`).
 */
export class Checker {
  readonly #publish: (snapshot: Snapshot, problems: Problem[]) => void;
  readonly #ask: Ask;
  readonly #checks = new Map<string, Check>();

  constructor(publish: (snapshot: Snapshot, problems: Problem[]) => void, ask: Ask) {
    this.#publish = publish;
    this.#ask = ask;
  }

  /** Checks this version instead of earlier ones. */
  update(snapshot: Snapshot, delay: number = pause): void {
    this.forget(snapshot.uri);
    const timer = setTimeout(() => void this.#check(check), delay);
    const check: Check = { snapshot, timer, dropped: new AbortController() };
    this.#checks.set(snapshot.uri, check);
  }

  /** Stops checking a file. */
  forget(uri: string): void {
    const check = this.#checks.get(uri);
    clearTimeout(check?.timer);
    this.#checks.delete(uri);
    check?.dropped.abort();
  }

  async #check(check: Check): Promise<void> {
    const { snapshot, dropped } = check;
    const { experiment, problems } = snapshot.parsed;
    const { file, uri, text } = snapshot;
    const publish = (found: Problem[]): void => {
      if (this.#checks.get(uri) === check) this.#publish(snapshot, found);
    };
    if (!experiment || file === undefined) {
      publish(problems);
      return;
    }
    check.timer = setTimeout(() => publish(problems), patience);
    try {
      const found = await this.#ask("check", { file, text }, { owner: file, ms: longest, signal: dropped.signal });
      publish(sortProblems([...problems, ...found]));
    } catch (error) {
      if (dropped.signal.aborted) return;
      if (!(error instanceof UserError)) console.error(`checking ${file}:`, error);
      publish([...problems, notChecked(experiment, error)]);
    } finally {
      clearTimeout(check.timer);
    }
  }
}

/** What is shown where the files that an experiment names could not be looked at. */
function notChecked({ positions }: Experiment, error: unknown): Problem {
  const why = error instanceof UserError ? error.message : "looking at its files failed";
  const message = `${why}: name fewer files under \`domains\`, or check the experiment with \`btx check\``;
  return { ...positions.key(["domains"]), message, path: ["domains"], severity: "warning" };
}
