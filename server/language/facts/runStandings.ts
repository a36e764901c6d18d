import { NewestRuns, type RunStanding } from "./newestRun.ts";

const everyTwoSeconds = 2000;

/** Looks now and then how the newest runs of some files stand, and tells when one stands otherwise than before. */
export class RunStandings {
  readonly #runs = new NewestRuns();
  readonly #read = new Map<string, { at: number; standing: Promise<RunStanding | undefined> }>();
  /** What was last told, by file. */
  readonly #told = new Map<string, string>();
  readonly #files: () => Iterable<string>;
  readonly #changed: () => void;
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  /** @param files the files to look at, at each time. @param interval ms. */
  constructor(files: () => Iterable<string>, changed: () => void, interval: number = everyTwoSeconds) {
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

  /** How a file's newest run stands, as of a moment ago. */
  of(file: string): Promise<RunStanding | undefined> {
    const known = this.#read.get(file);
    return known && Date.now() - known.at < this.#interval ? known.standing : this.#readNow(file);
  }

  #readNow(file: string): Promise<RunStanding | undefined> {
    const standing = this.#runs.of(file, this.#read.get(file)?.standing);
    this.#read.set(file, { at: Date.now(), standing });
    return standing;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      let hasChanged = false;
      for (const file of this.#files()) {
        const text = JSON.stringify(await this.#readNow(file)) ?? "";
        hasChanged ||= text !== (this.#told.get(file) ?? "");
        this.#told.set(file, text);
      }
      if (hasChanged) this.#changed();
    } catch (error) {
      console.error("looking at runs:", error);
    } finally {
      this.#isLooking = false;
    }
  }
}
