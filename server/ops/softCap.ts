import { mul, type Tensor, tanh } from "@tensorflow/tfjs-core";

/** cap * tanh(x / cap): nearly x where x is small, and never beyond the cap. Gemma 2, arXiv 2408.00118, section 2. */
export const softCapped = (x: Tensor, cap: number): Tensor => mul(tanh(mul(x, 1 / cap)), cap);
