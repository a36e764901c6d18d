/** How long to wait for a request for lenses after a file was opened, ms; gives up after the last one. */
const waits = [1000, 2000, 4000];

/**
 * Makes an editor request the lenses of an open file if it has not: VS Code sometimes loses its first request while
 * extensions start, and a file that is not edited would then have no lenses.
 */
export class LensReminder {
  readonly #remind: () => void;
  readonly #waits: readonly number[];
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(remind: () => void, after: readonly number[] = waits) {
    this.#remind = remind;
    this.#waits = after;
  }

  opened(uri: string, turn = 0): void {
    this.stop(uri);
    const wait = this.#waits[turn];
    if (wait === undefined) return;
    const timer = setTimeout(() => {
      this.#remind();
      this.opened(uri, turn + 1);
    }, wait);
    this.#timers.set(uri, timer.unref());
  }

  /** Ends waiting: lenses were requested, or the file was closed. */
  stop(uri: string): void {
    clearTimeout(this.#timers.get(uri));
    this.#timers.delete(uri);
  }
}
