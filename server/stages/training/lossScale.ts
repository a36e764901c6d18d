/** Number of steps without overflow after which the scale is doubled. */
const growthSteps = 2000;
const first = 2 ** 16;

/** The saved state of a `LossScale`. */
export interface LossScaleState {
  /** The factor of the loss, a power of 2. */
  scale: number;
  /** Steps without overflow since the scale last changed. */
  steps: number;
}

/**
 * Dynamic loss scaling: multiplies the loss by the largest factor at which float16 gradients do not overflow, so that
 * small gradients do not become zero. Micikevicius et al., arXiv 1710.03740, with the defaults of torch.amp.GradScaler.
 */
export class LossScale {
  #state: LossScaleState;
  /** The scale before it was lowered; undefined once that has been logged. */
  #before: number | undefined;

  constructor(state: LossScaleState = { scale: first, steps: 0 }) {
    this.#state = state;
  }

  get state(): LossScaleState {
    return { ...this.#state };
  }

  /** Halves the scale after gradients overflowed. Returns false if it is already 1: then the scale is not the cause. */
  lower(): boolean {
    const { scale } = this.#state;
    if (scale <= 1) return false;
    this.#before ??= scale;
    this.#state = { scale: scale / 2, steps: 0 };
    return true;
  }

  /** Counts a step without overflow. */
  count(): void {
    const { scale, steps } = this.#state;
    this.#state = steps + 1 < growthSteps ? { scale, steps: steps + 1 } : { scale: 2 * scale, steps: 0 };
  }

  /** Logs a sentence if the scale was lowered since the last call. */
  logChange(log: (text: string) => void): void {
    const before = this.#before;
    if (before === undefined) return;
    this.#before = undefined;
    log(`float16 gradients overflowed with loss scale ${before}: recomputed with loss scale ${this.#state.scale}`);
  }
}
