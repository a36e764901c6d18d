import type { Tensor } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../ops/arithmetic.ts";
import type { Tensors } from "../ops/program.ts";
import { swiGlu } from "../ops/swiGlu.ts";
import { linear } from "./linear.ts";
import type { FeedForwardNames } from "./parameters.ts";

/** One feed-forward block, of a dense layer or of an expert: down(silu(gate(x)) * up(x)); x [N, D] gives [N, D]. */
export function feedForward(params: Tensors, names: FeedForwardNames, x: Tensor, arithmetic: Arithmetic): Tensor {
  const through = (name: string, y: Tensor) => linear(params, name, y, arithmetic);
  return through(names.down, swiGlu(through(names.gate, x), through(names.up, x)));
}
