import type { Tensor } from "@tensorflow/tfjs-core";
import { swiGlu } from "../ops/swiGlu.ts";
import { linear } from "./linear.ts";
import { feedForwardNames } from "./parameters.ts";
import type { Tensors } from "./program.ts";

/** The dense feed-forward block of one layer: down(silu(gate(x)) * up(x)); x [N, D] gives [N, D]. */
export function feedForward(params: Tensors, layer: number, x: Tensor): Tensor {
  const names = feedForwardNames(layer);
  return linear(params, names.down, swiGlu(linear(params, names.gate, x), linear(params, names.up, x)));
}
