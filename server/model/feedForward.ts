import type { Tensor } from "@tensorflow/tfjs-core";
import { swiGlu } from "../ops/swiGlu.ts";
import { linear } from "./linear.ts";
import type { FeedForwardNames } from "./parameters.ts";
import type { Tensors } from "./program.ts";

/** One feed-forward block, of a dense layer or of an expert: down(silu(gate(x)) * up(x)); x [N, D] gives [N, D]. */
export function feedForward(params: Tensors, names: FeedForwardNames, x: Tensor): Tensor {
  return linear(params, names.down, swiGlu(linear(params, names.gate, x), linear(params, names.up, x)));
}
