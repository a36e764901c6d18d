import type { Tensor } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../../../ops/arithmetic.ts";
import type { Tensors } from "../../../ops/program.ts";
import { swiGlu } from "../../../ops/swiGlu.ts";
import type { FeedForwardNames } from "../../../parameters/names.ts";
import { linear } from "../linear.ts";

/** Applies one of a block's three linear layers: x [rows, in] -> [rows, out]. */
export type ApplyLinear = (part: keyof FeedForwardNames, x: Tensor) => Tensor;

/**
 * A SwiGLU block, down(silu(gate(x)) * up(x)), with the linear layers that `apply` applies: x [rows, D] -> [rows, D].
 * Shazeer, arXiv 2002.05202.
 */
export function swiGluBlock(x: Tensor, apply: ApplyLinear): Tensor {
  const hidden = swiGlu(apply("gate", x), apply("up", x));
  return apply("down", hidden);
}

/** The feed-forward block of a dense layer or of one expert: x [N, D] -> [N, D]. */
export const feedForward = (params: Tensors, names: FeedForwardNames, x: Tensor, arithmetic: Arithmetic): Tensor =>
  swiGluBlock(x, (part, y) => linear(params, names[part], y, arithmetic));
