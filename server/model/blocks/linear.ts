import { add, type Tensor } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../../ops/arithmetic.ts";
import { named, type Tensors } from "../../ops/program.ts";

/** Applies the linear layer `name`, weight [out, in] and optional bias [out]: x [N, in] -> [N, out]. */
export function linear(params: Tensors, name: string, x: Tensor, { matMul }: Arithmetic): Tensor {
  const product = matMul(x, named(params, `${name}.weight`), false, true);
  const bias = params[`${name}.bias`];
  return bias ? add(product, bias) : product;
}
