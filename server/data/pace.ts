import { setImmediate } from "node:timers/promises";
import { StopRequested } from "../protocol/errors.ts";

/** Longest work between two visits to the event loop, ms. */
const STRETCH = 25;

/** Interrupts long work now and then, so that other events are handled and a request to stop is noticed. */
export class Pace {
  #last = performance.now();
  readonly #stopRequested: () => boolean;

  constructor(stopRequested: () => boolean = () => false) {
    this.#stopRequested = stopRequested;
  }

  /** @throws StopRequested if a stop was asked for */
  readonly yieldToSignals = async (): Promise<void> => {
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
