import { add, concat, expandDims, mul, neg, reshape, split, sub, type Tensor } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";

function composition(x: Tensor, cos: Tensor, sin: Tensor, heads: number): Tensor {
  const [batch, time, width] = x.shape as [number, number, number];
  const [first, second] = split(reshape(x, [batch, time, heads, width / heads]), 2, 3) as [Tensor, Tensor];
  const c = expandDims(cos, 2);
  const s = expandDims(sin, 2);
  const turned = concat([sub(mul(first, c), mul(second, s)), add(mul(second, c), mul(first, s))], 3);
  return reshape(turned, [batch, time, width]);
}

const turn = (x: Tensor, cos: Tensor, sin: Tensor, heads: number): Tensor =>
  kernelOr("Rotary", { x, cos, sin }, { heads }, () => composition(x, cos, sin, heads));

/**
 * Rotary position embedding, half-split as in Hugging Face's Llama ("rotate_half"): element i of a head is rotated with
 * element i + d/2. RoFormer, arXiv 2104.09864, eq. 34. Kernel `Rotary`; its gradient is the same kernel with -sin.
 *
 * x [B, T, H*d], cos and sin [B or 1, T, d/2] -> [B, T, H*d]. Tables scaled by s give s times the rotated x.
 * The tables are not differentiated.
 */
export function rotary(x: Tensor, cos: Tensor, sin: Tensor, heads: number): Tensor {
  return differentiable<[Tensor, Tensor]>(
    [x],
    (save) => {
      save(cos, sin);
      return turn(x, cos, sin, heads);
    },
    (dy, c, s) => [turn(dy, c, neg(s), heads)],
  );
}
