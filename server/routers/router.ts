import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

/** The two factors of the load-balancing loss, [1, E] each: weighted means over tokens. */
export interface BalanceMeans {
  /** BTX: the mean gates. Switch: each expert's share of the choices, not differentiated. */
  gates: Tensor;
  /** The mean softmax over all experts. */
  probabilities: Tensor;
}

/** The purpose of a forward pass. A router may sample or drop tokens in training only. */
export type RoutingMode = "training" | "evaluation" | "generation";

/** Inputs that the router of one layer may read: N tokens, E experts. */
export interface RouterInput {
  /** All parameters of the model by name, including the router's own. */
  params: Record<string, Tensor>;
  /** Index of the layer in the model, from 0. */
  layer: number;
  /** Index of the layer among the Mixture-of-Experts layers, from 0. */
  position: number;
  /** [N] int32 */
  tokenIds: Tensor;
  /**
   * [N, 1]: weight of each token in the auxiliary losses. Tokens of weight 0 are padding and use no expert capacity.
   */
  weights: Tensor;
  mode: RoutingMode;
  /** "fixed" outside training and in phases that set it: a two-stage router then uses what it has learned. */
  stage: "learn" | "fixed";
  /** [N, P]: state passed on by the router of the previous Mixture-of-Experts layer; absent if there is none. */
  state?: Tensor;
  /** [N, E]: standard Gumbel noise, for sampling routers. */
  noise?: Tensor;
  /** [N] int32: a decision per token that the router must take, for routers that support it. */
  actions?: Tensor;
  /** Fraction of the phase's steps that are done, 0 to 1; in training, for routers whose temperature decays. */
  progress?: Scalar;
  /** Means over the whole batch, if these tokens are one of its micro-batches; not differentiated. */
  means?: BalanceMeans;
  /**
   * [1, E]: `MASKED` for experts that are switched off, else 0. `logits` and `bias` already include it; a router that
   * decides by other scores must add it.
   */
  mask?: Tensor;
}

/** How well each expert suits each token. */
export interface Scores {
  /** [N, E] */
  logits: Tensor;
  /** [N, P]: state for the router of the next Mixture-of-Experts layer. */
  state?: Tensor;
}

/** Inputs of a routing decision. */
export interface RouteInput extends RouterInput {
  /** [N, E]: the logits from `score`, masked. */
  logits: Tensor;
  /** [E]: added to the probabilities when choosing experts, not to the gates; absent unless balanced by a bias. */
  bias?: Tensor;
}

/** A router's decision for the N tokens of one layer. */
export interface Routing {
  /** [N, K] int32: the experts each token goes to, 0 to E - 1, or E for no expert. Not differentiated. */
  experts: Tensor;
  /** [N, K]: their gates; 0 for no expert. */
  gates: Tensor;
  /** [N, E]: 1 where a token goes to an expert, else 0. Not differentiated. */
  chosen: Tensor;
  /** [N, E]: the gates in their experts' columns, 0 elsewhere. */
  gateOfExpert: Tensor;
  /** True if `experts` may contain E (no expert). Such rows are not computed. */
  mayHaveNoExpert?: true;
  /** [N, E]: 1 where a token chose an expert that was full; absent if experts have no capacity. Not differentiated. */
  dropped?: Tensor;
  /** The layer's scaled auxiliary losses by name. Training adds their sum; `metrics.jsonl` has a column for each. */
  losses?: Record<string, Scalar>;
  /** The means for load balancing over these tokens; absent if there is no load-balancing loss. */
  means?: BalanceMeans;
  /** [N] int32: the `RouterInput.actions` that would force this decision, for routers that support it. */
  actions?: Tensor;
}

/**
 * Turns hidden states into a routing. Must be traceable: static shapes, no value read back. `RouterDeclaration`
 * declares its parameters.
 */
export interface Router {
  /**
   * Computes logits from x [N, D], the normed input of the layer's feed-forward block. Default: x W^T with the router's
   * weight [E, D].
   */
  score?(x: Tensor, input: RouterInput): Scores;
  route(input: RouteInput): Routing;
}
