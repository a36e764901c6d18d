import { reshape, type Scalar, slice, type Tensor } from "@tensorflow/tfjs-core";
import type { Tensors } from "../ops/program.ts";
import type { BalanceMeans, RouterInput, RoutingMode } from "../routers/router.ts";

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
  /** [Lmoe, E]: added to the routers' logits and biases; `MASKED` for an expert that is switched off, else 0. */
  mask?: Tensor;
}

/** What one layer's router reads besides its logits and bias. */
export type LayerInputs = Omit<RouterInput, "logits" | "bias"> & { /** [1, E] */ mask?: Tensor };

/** The routers' inputs in a batch (`sequenceBatch`, `decodeBatch`). */
export function routingInputs(batch: Tensors, weights: Tensor, mode: RoutingMode): RoutingInputs {
  const { noise, progress, meanGates, meanProbabilities, mask } = batch;
  return {
    mode,
    weights,
    ...(noise ? { noise } : {}),
    ...(progress ? { progress: progress as Scalar } : {}),
    ...(meanGates && meanProbabilities ? { means: { gates: meanGates, probabilities: meanProbabilities } } : {}),
    ...(mask ? { mask } : {}),
  };
}

/** Those of the Mixture-of-Experts layer at `position` among these layers. */
export function layerInputs(inputs: RoutingInputs, position: number): LayerInputs {
  const { mode, weights, noise, progress, means, mask } = inputs;
  const row = (x: Tensor) => slice(x, [position, 0], [1, -1]);
  const matrix = (x: Tensor) => reshape(slice(x, [position, 0, 0], [1, -1, -1]), x.shape.slice(1));
  return {
    mode,
    weights,
    position,
    ...(noise ? { noise: matrix(noise) } : {}),
    ...(progress ? { progress } : {}),
    ...(means ? { means: { gates: row(means.gates), probabilities: row(means.probabilities) } } : {}),
    ...(mask ? { mask: row(mask) } : {}),
  };
}
