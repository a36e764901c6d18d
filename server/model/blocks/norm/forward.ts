import type { Tensor } from "@tensorflow/tfjs-core";
import { named, type Tensors } from "../../../ops/program.ts";
import { rmsNorm } from "../../../ops/rmsNorm.ts";
import type { ModelConfig } from "../../../protocol/model.ts";

/** Applies the RMS norm `name`: x [N, D] -> [N, D]. */
export const norm = (params: Tensors, name: string, x: Tensor, { normEps }: ModelConfig): Tensor =>
  rmsNorm(x, named(params, name), normEps);
