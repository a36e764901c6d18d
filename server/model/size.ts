import { totalSize } from "../parameters/declared.ts";
import { isFrozen } from "../parameters/freeze.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { Freeze, TrainingConfig } from "../protocol/stage.ts";
import { floatShare, type Multiplied, type Precision } from "./blocks/declaration.ts";
import { blocksOf, type DeclarationOptions, declareModel } from "./declaration.ts";

const FLOAT_BYTES = 4;

const total = (numbers: number[]): number => numbers.reduce((sum, number) => sum + number, 0);

/**
 * Number of parameters: `total`, and `active`, those that one token meets when it goes to K of the E experts of each
 * MoE layer; K is that of `expertsPerToken`, 1 of Switch although a token may be dropped. Embeddings, norms, routers and
 * the head count in both; tied embeddings count once. For a dense model the two are equal. The convention of BTX, table 4
 * (6.7, 11.1 and 19.7 billion for Llama-2 7B shapes; sampled top-1 has 7.1 here, for its first layer is soft).
 */
export function parameterCount(config: ModelConfig, options?: DeclarationOptions): { total: number; active: number } {
  const blocks = blocksOf(declareModel(config, options));
  return {
    total: total(blocks.map(({ parameters }) => totalSize(parameters))),
    active: total(blocks.map(({ activeParameters }) => activeParameters)),
  };
}

export interface FlopsOptions extends DeclarationOptions {
  training: boolean;
  /** Parameters that are not trained. */
  freeze?: Freeze | undefined;
}

/**
 * Floating-point operations per token, at full context (T = `context`).
 *
 * Convention of the model FLOPs utilisation of PaLM (arXiv 2204.02311, appendix B): a multiply-add is two operations;
 * the backward pass costs twice the forward pass, and recomputation is not counted. Counted are
 * - 6 (forward alone: 2) times the active matmul weights: attention projections, the K experts' feed-forward blocks,
 *   routers, and the head, tied or not; the embedding lookup, norms and biases are not. Frozen weights count 4 times: they
 *   pass a gradient on and get none;
 * - 12 (forward alone: 4) * L * T * H * headSize for the scores and the weighted sum of values, over the whole T x T
 *   matrix although the causal mask leaves half of it empty.
 */
export function flopsPerToken(config: ModelConfig, { training, freeze, ...options }: FlopsOptions): number {
  const whole = training ? 6 : 2;
  const blocks = blocksOf(declareModel(config, options));
  const multiplied = blocks.flatMap((block) => block.multiplied);
  const perWeight = (one: Multiplied) => (training ? whole - 2 * frozenShare(one, freeze) : whole);
  const products = whole * total(blocks.map(({ multiplyAdds }) => multiplyAdds));
  return total(multiplied.map((one) => perWeight(one) * one.weights)) + products;
}

/** Share of the matrices that are frozen. */
const frozenShare = ({ parameters }: Multiplied, freeze: Freeze | undefined): number =>
  parameters.filter((parameter) => isFrozen(parameter, freeze)).length / parameters.length;

/** What training computes with, as far as its memory depends on it. */
interface Computing extends Pick<TrainingConfig, "recompute">, Precision {
  /** Until a step is over its new parameters and moments lie beside the old, as on a GPU. */
  stateTwice?: boolean;
}

/**
 * Floats kept from all layers: with `recompute` what their blocks are given and give, and what one layer computes again, the
 * mean feed-forward block or attention.
 */
function keptOfLayers(config: ModelConfig, batch: number, computing: Computing): number {
  const time = config.context;
  const pass = { batch, time, share: floatShare(computing) };
  const { layers } = declareModel(config);
  const attention = layers.map((layer) => layer.attention.kept(pass));
  const feedForward = total(layers.map((layer) => layer.feedForward.kept(pass)));
  if (!computing.recompute) return total(attention) + feedForward;
  return config.layers * batch * time * 4 * config.hidden + Math.max(...attention, feedForward / config.layers);
}

/**
 * Estimated bytes of one training process: parameters, gradients and AdamW's two moments (16 bytes per
 * parameter), and the activations of one micro-batch of `microBatch` sequences at full context: those of every layer,
 * and the head's logits, their softmax and their gradient [N, V]. In float16 what products in the blocks read and give
 * takes half. Where a step's new state lies beside the old, that is 12 bytes per parameter more. The runtime's own needs come on top.
 */
export function trainingMemory(config: ModelConfig, microBatch: number, computing: Computing = {}): number {
  const head = declareModel(config).head.kept({ batch: microBatch, time: config.context, share: 1 });
  const activations = keptOfLayers(config, microBatch, computing) + head;
  const floats = computing.stateTwice ? 7 : 4;
  return FLOAT_BYTES * (floats * parameterCount(config).total + activations);
}
