import { reshape, type Scalar, slice, type Tensor } from "@tensorflow/tfjs-core";
import type { Tensors } from "../ops/program.ts";
import type { BalanceMeans, RouterInput, RoutingMode } from "../routers/router.ts";

/** Inputs of all routers in a forward pass over N tokens, in addition to hidden states; see `RouterInput`. */
export interface RoutingInputs extends Pick<RouterInput, "weights" | "mode" | "stage" | "progress"> {
  /** [Lmoe, N, E] */
  noise?: Tensor;
  /** [Lmoe, N] int32 */
  actions?: Tensor;
  /** [Lmoe, E] each. */
  means?: BalanceMeans;
  /** [Lmoe, E]: added to the routers' logits and biases; `MASKED` for experts that are switched off, else 0. */
  mask?: Tensor;
}

/** The part of one layer's `RouterInput` that comes from the batch and the kind of pass. */
export type LayerInputs = Omit<RouterInput, "params" | "layer" | "tokenIds" | "state">;

/**
 * The routers' inputs from a batch (`sequenceBatch`, `decodeBatch`). Two-stage routers are "fixed" outside training.
 */
export function routingInputs(
  batch: Tensors,
  weights: Tensor,
  mode: RoutingMode,
  stage: RouterInput["stage"] = mode === "training" ? "learn" : "fixed",
): RoutingInputs {
  const { noise, actions, progress, meanGates, meanProbabilities, mask } = batch;
  return {
    mode,
    stage,
    weights,
    ...(noise ? { noise } : {}),
    ...(actions ? { actions } : {}),
    ...(progress ? { progress: progress as Scalar } : {}),
    ...(meanGates && meanProbabilities ? { means: { gates: meanGates, probabilities: meanProbabilities } } : {}),
    ...(mask ? { mask } : {}),
  };
}

/** The inputs of one layer's router; `position` counts the Mixture-of-Experts layers. */
export function layerInputs(inputs: RoutingInputs, position: number): LayerInputs {
  const { noise, actions, means, mask, ...ofAllLayers } = inputs;
  const row = (x: Tensor) => slice(x, [position, 0], [1, -1]);
  const matrix = (x: Tensor) => reshape(slice(x, [position, 0, 0], [1, -1, -1]), x.shape.slice(1));
  return {
    ...ofAllLayers,
    position,
    ...(noise ? { noise: matrix(noise) } : {}),
    ...(actions ? { actions: reshape(row(actions), actions.shape.slice(1)) } : {}),
    ...(means ? { means: { gates: row(means.gates), probabilities: row(means.probabilities) } } : {}),
    ...(mask ? { mask: row(mask) } : {}),
  };
}
