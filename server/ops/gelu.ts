import { add, erf, mul, square, type Tensor, tanh } from "@tensorflow/tfjs-core";

/** x times the standard normal distribution function of x. Hendrycks and Gimpel, arXiv 1606.08415. */
export const gelu = (x: Tensor): Tensor => mul(mul(x, 0.5), add(erf(mul(x, Math.SQRT1_2)), 1));

/** The approximation of `gelu` by tanh, as GPT-2 and Gemma use it. */
export function geluTanh(x: Tensor): Tensor {
  const inner = mul(mul(x, Math.sqrt(2 / Math.PI)), add(mul(square(x), 0.044715), 1));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}
