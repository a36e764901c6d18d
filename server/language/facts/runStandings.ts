import { NewestRuns, type RunStanding } from "./newestRun.ts";

const everyTwoSeconds = 2000;

/** Polls the newest runs of files, and reports when the state of one changed. */
export class RunStandings {
  readonly #runs = new NewestRuns();
  readonly #read = new Map<string, { at: number; standing: Promise<RunStanding | undefined> }>();
  /** The last reported state, by file. */
  readonly #reported = new Map<string, RunStanding | undefined>();
  readonly #files: () => Iterable<string>;
  readonly #changed: (ended: boolean) => void;
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  /**
   * @param files the files to check each time.
   * @param changed called with whether a stage has ended.
   * @param interval ms.
   */
  constructor(files: () => Iterable<string>, changed: (ended: boolean) => void, interval: number = everyTwoSeconds) {
    this.#files = files;
    this.#changed = changed;
    this.#interval = interval;
  }

  start(): void {
    this.stop();
    this.#timer = setInterval(() => void this.#look(), this.#interval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The state of a file's newest run, as of the last poll. */
  of(file: string): Promise<RunStanding | undefined> {
    const known = this.#read.get(file);
    return known && performance.now() - known.at < this.#interval ? known.standing : this.#readNow(file);
  }

  #readNow(file: string): Promise<RunStanding | undefined> {
    const standing = this.#runs.of(file, this.#read.get(file)?.standing);
    this.#read.set(file, { at: performance.now(), standing });
    return standing;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      let [hasChanged, hasEnded] = [false, false];
      for (const file of this.#files()) {
        const [before, now] = [this.#reported.get(file), await this.#readNow(file)];
        hasChanged ||= JSON.stringify(now) !== JSON.stringify(before);
        hasEnded ||= done(now) > (now?.id === before?.id ? done(before) : 0);
        this.#reported.set(file, now);
      }
      if (hasChanged) this.#changed(hasEnded);
    } catch (error) {
      console.error("reading runs:", error);
    } finally {
      this.#isLooking = false;
    }
  }
}

const done = (run: RunStanding | undefined): number => run?.stages.filter(({ state }) => state === "done").length ?? 0;
