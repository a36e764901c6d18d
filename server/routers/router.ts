import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

/** What balancing over a batch multiplies, each [1, E], means over tokens by weight. */
export interface BalanceMeans {
  /** BTX: the actual gates. Switch: each expert's share of the choices, which is not differentiated. */
  gates: Tensor;
  /** The softmax over all experts. */
  probabilities: Tensor;
}

/** What a forward pass is for. A router may draw and drop in training what it decides otherwise elsewhere. */
export type RoutingMode = "training" | "evaluation" | "generation";

/** What a router decides from: N tokens in one layer, E experts. */
export interface RouterInput {
  /** [N, E] */
  logits: Tensor;
  /** [N, 1]: how much a token counts in the auxiliary loss; tokens of weight 0 are padding and take no expert's place. */
  weights: Tensor;
  /** Of the layer among the Mixture-of-Experts layers, from 0. */
  position: number;
  mode: RoutingMode;
  /** [E]: added to the probabilities by which experts are chosen, not to the gates; absent without balancing by bias. */
  bias?: Tensor;
  /** [N, E]: standard Gumbel numbers, for routers that draw. */
  noise?: Tensor;
  /** Share of the phase's steps that are done, 0 to 1; in training, for routers whose temperature falls. */
  progress?: Scalar;
  /** Means over the whole batch, where these tokens are one of its micro-batches; not differentiated. */
  means?: BalanceMeans;
}

/** What a router decides for the N tokens of one layer. */
export interface Routing {
  /** [N, K] int32: the experts each token goes to. Not differentiated. */
  experts: Tensor;
  /** [N, K]: the gate of each of them; 0 for a dropped token. */
  gates: Tensor;
  /** [N, E]: 1 where a token goes to an expert, else 0. Not differentiated. */
  chosen: Tensor;
  /** [N, E]: the gates in their experts' places, 0 elsewhere. */
  gateOfExpert: Tensor;
  /** [N, E]: 1 where a token chose an expert that was full; absent where no expert can be. Not differentiated. */
  dropped?: Tensor;
  /** The layer's auxiliary loss, balancing and z-loss, scaled; absent where the router has none. */
  auxiliaryLoss?: Scalar;
  /** These tokens' part of the means that are balanced; absent where nothing is. */
  means?: BalanceMeans;
}

/** A router turns logits into a routing. Static shapes, no value read back. */
export interface Router {
  (input: RouterInput): Routing;
  /** Whether it draws: it is given noise then. */
  draws?: boolean;
}
