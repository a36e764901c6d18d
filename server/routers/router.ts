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

/** What the router of one layer may read: N tokens, E experts. */
export interface RouterInput {
  /** Every parameter of the model by its name, the router's own among them. */
  params: Record<string, Tensor>;
  /** Of the model, from 0. */
  layer: number;
  /** Of the layer among the Mixture-of-Experts layers, from 0. */
  position: number;
  /** [N] int32 */
  tokenIds: Tensor;
  /** [N, 1]: how much a token counts in the auxiliary losses; tokens of weight 0 are padding and take no expert's place. */
  weights: Tensor;
  mode: RoutingMode;
  /** "fixed" in a phase that asks for it and outside training: a router with two stages uses what it has learned. */
  stage: "learn" | "fixed";
  /** [N, P]: what the router of the Mixture-of-Experts layer before handed on; absent in the first, or where none did. */
  state?: Tensor;
  /** [N, E]: standard Gumbel numbers, for routers that draw. */
  noise?: Tensor;
  /** [N] int32: a decision a token that is forced on the router, for routers that take one. */
  actions?: Tensor;
  /** Share of the phase's steps that are done, 0 to 1; in training, for routers whose temperature falls. */
  progress?: Scalar;
  /** Means over the whole batch, where these tokens are one of its micro-batches; not differentiated. */
  means?: BalanceMeans;
  /** [1, E]: `MASKED` for an expert that is switched off, else 0. It is in `logits` and `bias` already; what else decides adds it. */
  mask?: Tensor;
}

/** How well each expert suits each token. */
export interface Scores {
  /** [N, E] */
  logits: Tensor;
  /** [N, P]: for the router of the next Mixture-of-Experts layer. */
  state?: Tensor;
}

/** What a router decides from. */
export interface RouteInput extends RouterInput {
  /** [N, E]: what `score` gave, masked. */
  logits: Tensor;
  /** [E]: added to the probabilities by which experts are chosen, not to the gates; absent without balancing by bias. */
  bias?: Tensor;
}

/** What a router decides for the N tokens of one layer. */
export interface Routing {
  /** [N, K] int32: the experts each token goes to, 0 to E - 1, or E for nobody. Not differentiated. */
  experts: Tensor;
  /** [N, K]: the gate of each of them; 0 for nobody. */
  gates: Tensor;
  /** [N, E]: 1 where a token goes to an expert, else 0. Not differentiated. */
  chosen: Tensor;
  /** [N, E]: the gates in their experts' places, 0 elsewhere. */
  gateOfExpert: Tensor;
  /** True where `experts` may have E, "nobody", in it: rows for nobody are not computed. */
  mayBeNobody?: true;
  /** [N, E]: 1 where a token chose an expert that was full; absent where no expert can be. Not differentiated. */
  dropped?: Tensor;
  /** The layer's auxiliary losses by name, scaled: what is minimised has their sum, `metrics.jsonl` a column for each. */
  losses?: Record<string, Scalar>;
  /** These tokens' part of the means that are balanced; absent where nothing is. */
  means?: BalanceMeans;
  /** [N] int32: what `RouterInput.actions` would have to be for the same decision, for routers that take one. */
  actions?: Tensor;
}

/** Turns hidden states into a routing. Static shapes, no value read back. What it has is in `RouterDeclaration`. */
export interface Router {
  /** x [N, D], the normed input of the layer's feed-forward block, to logits; absent: x W^T with the router's weight [E, D]. */
  score?(x: Tensor, input: RouterInput): Scores;
  route(input: RouteInput): Routing;
}
