import type { Tensor } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../../../ops/arithmetic.ts";
import type { Tensors } from "../../../ops/program.ts";
import { swiGlu } from "../../../ops/swiGlu.ts";
import type { FeedForwardNames } from "../../../parameters/names.ts";
import { linear } from "../linear.ts";

/** Applies one of a block's three linear layers: x [rows, in] -> [rows, out]. */
export type Through = (part: keyof FeedForwardNames, x: Tensor) => Tensor;

/**
 * A SwiGLU block, down(silu(gate(x)) * up(x)), with the linear layers that `through` applies: x [rows, D] -> [rows, D].
 * Shazeer, arXiv 2002.05202.
 */
export function swiGluBlock(x: Tensor, through: Through): Tensor {
  const hidden = swiGlu(through("gate", x), through("up", x));
  return through("down", hidden);
}

/** The feed-forward block of a dense layer or of one expert: x [N, D] -> [N, D]. */
export const feedForward = (params: Tensors, names: FeedForwardNames, x: Tensor, arithmetic: Arithmetic): Tensor =>
  swiGluBlock(x, (part, y) => linear(params, names[part], y, arithmetic));
