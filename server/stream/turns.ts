/** Lets only so much work be done at once; the rest waits, first come, first served. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param atOnce how many may work at once. */
  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Does the work when it is its turn. Work that is cancelled while it waits is not done, and gives undefined. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#free > 0) this.#free--;
    else if (!(await this.#turn(signal))) return undefined;
    try {
      return signal.aborted ? undefined : await work();
    } finally {
      // The turn is handed over, so that nobody who comes now is faster than who waits.
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
