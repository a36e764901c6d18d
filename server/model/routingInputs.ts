import { reshape, type Scalar, slice, type Tensor } from "@tensorflow/tfjs-core";
import type { BalanceMeans, RouterInput, RoutingMode } from "../routers/router.ts";
import type { Tensors } from "./program.ts";

/** What the routers of a forward pass over N tokens read besides hidden states; see `RouterInput`. */
export interface RoutingInputs {
  mode: RoutingMode;
  /** [N, 1] */
  weights: Tensor;
  /** [Lmoe, N, E] */
  noise?: Tensor;
  progress?: Scalar;
  /** [Lmoe, E] each. */
  means?: BalanceMeans;
}

/** The routers' inputs in a batch (`sequenceBatch`, `decodeBatch`). */
export function routingInputs(batch: Tensors, weights: Tensor, mode: RoutingMode): RoutingInputs {
  const { noise, progress, meanGates, meanProbabilities } = batch;
  return {
    mode,
    weights,
    ...(noise ? { noise } : {}),
    ...(progress ? { progress: progress as Scalar } : {}),
    ...(meanGates && meanProbabilities ? { means: { gates: meanGates, probabilities: meanProbabilities } } : {}),
  };
}

/** Those of the Mixture-of-Experts layer at `position` among these layers. */
export function layerInputs(inputs: RoutingInputs, position: number): Omit<RouterInput, "logits" | "bias"> {
  const { mode, weights, noise, progress, means } = inputs;
  const row = (x: Tensor) => slice(x, [position, 0], [1, -1]);
  const matrix = (x: Tensor) => reshape(slice(x, [position, 0, 0], [1, -1, -1]), x.shape.slice(1));
  return {
    mode,
    weights,
    position,
    ...(noise ? { noise: matrix(noise) } : {}),
    ...(progress ? { progress } : {}),
    ...(means ? { means: { gates: row(means.gates), probabilities: row(means.probabilities) } } : {}),
  };
}
