import { type Tensor, tensor } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";

/** The nearest number that IEEE 754's half precision has, ties to even: 11 bits, 2^-24 apart at least, at most 65504. */
export function nearestFloat16(x: number): number {
  const size = Math.abs(x);
  if (size >= 65520) return x * Number.POSITIVE_INFINITY;
  if (!(size > 0)) return x;
  const spacing = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10);
  // Added to this a double has no place for anything below the spacing.
  const large = 1.5 * 2 ** 52 * spacing;
  return x + large - large;
}

const rounded = (x: Tensor): Tensor =>
  kernelOr("Float16", { x }, {}, () => tensor(Float32Array.from(x.dataSync(), nearestFloat16), x.shape));

/**
 * x in the precision of float16, any shape, and its gradient too. Values beyond 65504 become infinite. An engine that has
 * float16 may keep the result so, and compute in it what is made of such values only and is rounded so again. Kernel `Float16`.
 */
export const float16 = (x: Tensor): Tensor =>
  differentiable<[]>(
    [x],
    () => rounded(x),
    (dy) => [rounded(dy)],
  );
