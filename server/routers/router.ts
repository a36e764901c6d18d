import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

/** What a router decides for the N tokens of one layer. */
export interface Routing {
  /** [N, K] int32: the experts each token goes to. Not differentiated. */
  experts: Tensor;
  /** [N, K]: the gate of each of them. */
  gates: Tensor;
  /** [N, E]: 1 where a token goes to an expert, else 0. Not differentiated. */
  chosen: Tensor;
  /** [N, E]: the gates in their experts' places, 0 elsewhere. */
  gateOfExpert: Tensor;
  /** The layer's auxiliary loss, scaled by its coefficient; absent where the router has none. */
  auxiliaryLoss?: Scalar;
}

/**
 * A router turns logits [N, E] into a routing. `weights` [N, 1] says how much a token counts in the auxiliary loss:
 * 0 for padding. Static shapes, no value read back.
 */
export type Router = (logits: Tensor, weights: Tensor) => Routing;
