import { NewestRuns, type RunStanding } from "./newestRun.ts";

/** How often runs are looked at, ms. */
const interval = 2000;

interface Known {
  at: number;
  standing: Promise<RunStanding | undefined>;
  text: string;
}

/** Looks now and then how the newest runs of some files stand, and tells when one stands otherwise than before. */
export class RunStandings {
  readonly #runs = new NewestRuns();
  readonly #known = new Map<string, Known>();
  readonly #files: () => Iterable<string>;
  readonly #changed: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param files the files to look at, at each time. */
  constructor(files: () => Iterable<string>, changed: () => void) {
    this.#files = files;
    this.#changed = changed;
  }

  start(): void {
    this.stop();
    this.#timer = setInterval(() => void this.#look(), interval).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** How a file's newest run stands, as of a moment ago. */
  of(file: string): Promise<RunStanding | undefined> {
    const known = this.#known.get(file);
    if (known && Date.now() - known.at < interval) return known.standing;
    return this.#read(file).standing;
  }

  #read(file: string): Known {
    const standing = this.#runs.of(file, this.#known.get(file)?.standing);
    const known: Known = { at: Date.now(), standing, text: this.#known.get(file)?.text ?? "" };
    this.#known.set(file, known);
    return known;
  }

  async #look(): Promise<void> {
    try {
      let hasChanged = false;
      for (const file of this.#files()) {
        const known = this.#read(file);
        const text = JSON.stringify(await known.standing) ?? "";
        hasChanged ||= text !== known.text;
        known.text = text;
      }
      if (hasChanged) this.#changed();
    } catch (error) {
      console.error("looking at runs:", error);
    }
  }
}
