import { setImmediate } from "node:timers/promises";
import { StopRequested } from "../protocol/errors.ts";

/** Longest stretch of work between two looks at the event loop, ms. */
const STRETCH = 25;

/** Lets long work breathe: other events get their turn, and a request to stop is heard. */
export class Pace {
  #last = performance.now();
  readonly #stopRequested: () => boolean;

  constructor(stopRequested: () => boolean = () => false) {
    this.#stopRequested = stopRequested;
  }

  /** @throws StopRequested if a stop was asked for */
  readonly breathe = async (): Promise<void> => {
    if (performance.now() - this.#last < STRETCH) return;
    await setImmediate();
    this.#last = performance.now();
    this.check();
  };

  /** @throws StopRequested if a stop was asked for */
  check(): void {
    if (this.#stopRequested()) throw new StopRequested();
  }
}
