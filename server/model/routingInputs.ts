import { reshape, type Scalar, slice, type Tensor } from "@tensorflow/tfjs-core";
import type { Tensors } from "../ops/program.ts";
import type { BalanceMeans, RouterInput, RoutingMode } from "../routers/router.ts";

/** What the routers of a forward pass over N tokens read besides hidden states; see `RouterInput`. */
export interface RoutingInputs extends Pick<RouterInput, "weights" | "mode" | "stage" | "progress"> {
  /** [Lmoe, N, E] */
  noise?: Tensor;
  /** [Lmoe, N] int32 */
  actions?: Tensor;
  /** [Lmoe, E] each. */
  means?: BalanceMeans;
  /** [Lmoe, E]: added to the routers' logits and biases; `MASKED` for an expert that is switched off, else 0. */
  mask?: Tensor;
}

/** What one layer's router reads besides what it is itself. */
export type LayerInputs = Omit<RouterInput, "params" | "layer" | "tokenIds" | "state">;

/** The routers' inputs in a batch (`sequenceBatch`, `decodeBatch`). Outside training, routers with two stages are fixed. */
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

/** Those of the Mixture-of-Experts layer at `position` among these layers. */
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
