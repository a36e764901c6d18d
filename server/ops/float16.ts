import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";

/** Rounds to IEEE 754 half precision, ties to even: 11 significant bits, spacing at least 2^-24, at most 65504. */
export function nearestFloat16(x: number): number {
  const size = Math.abs(x);
  if (size >= 65520) return x * Number.POSITIVE_INFINITY;
  if (!(size > 0)) return x;
  const spacing = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10);
  // Adding this number makes a double drop everything below the spacing.
  const large = 1.5 * 2 ** 52 * spacing;
  return x + large - large;
}

const rounded = (x: Tensor): Tensor =>
  kernelOr("Float16", { x }, {}, () => tensor(Float32Array.from(x.dataSync(), nearestFloat16), x.shape));

/**
 * Rounds x, of any shape, and its gradient to float16. Values beyond 65504 become infinite. An engine with float16 may
 * keep the result in it, and may compute in float16 whatever has only such inputs and is rounded again. Kernel
 * `Float16`.
 */
export const float16 = (x: Tensor): Tensor =>
  differentiable<[]>(
    [x],
    () => rounded(x),
    (dy) => [rounded(dy)],
  );
