/** Limits how many pieces of work run at once; the others wait, first come, first served. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param atOnce how many pieces of work may run at once. */
  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Runs the work when it is its turn. If it is cancelled while it waits, it does not run, and the result is undefined. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#free > 0) this.#free--;
    else if (!(await this.#turn(signal))) return undefined;
    try {
      return signal.aborted ? undefined : await work();
    } finally {
      // The turn is handed over directly, so that work that arrives now cannot overtake work that waits.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }

  /** Whether the turn came before the work was cancelled. */
  #turn(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(false);
      const begin = () => {
        signal.removeEventListener("abort", leave);
        resolve(true);
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        resolve(false);
      };
      this.#waiting.push(begin);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
