import { add, mean, mul, rsqrt, square, sub, type Tensor } from "@tensorflow/tfjs-core";
import { named, type Tensors } from "../../../ops/program.ts";
import { rmsNorm } from "../../../ops/rmsNorm.ts";
import { normBiasName } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";

/** Applies the norm `name` to each row: x [N, W] -> [N, W]. */
export function norm(params: Tensors, name: string, x: Tensor, config: Pick<ModelConfig, "norm" | "normEps">): Tensor {
  const weight = named(params, name);
  switch (config.norm) {
    case "layer":
      return layerNorm(x, weight, named(params, normBiasName(name)), config.normEps);
    case "plus-one":
      return rmsNorm(x, add(weight, 1), config.normEps);
    case undefined:
      return rmsNorm(x, weight, config.normEps);
  }
}

/** (x - mean) / sqrt(variance + eps) * weight + bias, by row: x [N, D]. Ba et al., arXiv 1607.06450. */
function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const centred = sub(x, mean(x, -1, true));
  const scale = rsqrt(add(mean(square(centred), -1, true), eps));
  return add(mul(mul(centred, scale), weight), bias);
}
