/** Good steps after which the scale is doubled. */
const growthSteps = 2000;
const first = 2 ** 16;

/** Where a `LossScale` stands. */
export interface LossScaleState {
  /** What the loss is multiplied by, a power of 2. */
  scale: number;
  /** Good steps since it last changed. */
  steps: number;
}

/**
 * What the loss is multiplied by for gradients in float16, whose small ones would be zero otherwise: as large as they bear.
 * Dynamic loss scaling, Micikevicius et al., arXiv 1710.03740, with the numbers of torch.amp.GradScaler.
 */
export class LossScale {
  #state: LossScaleState;
  /** What it was before it was lowered; undefined when that has been told. */
  #before: number | undefined;

  constructor(state: LossScaleState = { scale: first, steps: 0 }) {
    this.#state = state;
  }

  get state(): LossScaleState {
    return { ...this.#state };
  }

  /** Halves it, after gradients that overflowed. False where it is 1 already: then the loss is not what made them so large. */
  lower(): boolean {
    const { scale } = this.#state;
    if (scale <= 1) return false;
    this.#before ??= scale;
    this.#state = { scale: scale / 2, steps: 0 };
    return true;
  }

  /** Counts a step whose gradients did not overflow. */
  count(): void {
    const { scale, steps } = this.#state;
    this.#state = steps + 1 < growthSteps ? { scale, steps: steps + 1 } : { scale: 2 * scale, steps: 0 };
  }

  /** Says in words what has lowered it since the last time, where something has. */
  tell(log: (text: string) => void): void {
    const before = this.#before;
    if (before === undefined) return;
    this.#before = undefined;
    log(
      `gradients overflowed in float16 with the loss times ${before}: they were computed again with it times ${this.#state.scale}`,
    );
  }
}
