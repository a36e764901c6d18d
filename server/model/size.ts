import { totalSize } from "../parameters/declaration.ts";
import { isFrozen } from "../parameters/freeze.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { Freeze, TrainingConfig } from "../protocol/stage.ts";
import { floatShare, type Multiplied, type Precision } from "./blocks/declaration.ts";
import { blocksOf, type DeclarationOptions, declareModel } from "./declaration.ts";

const FLOAT_BYTES = 4;

const total = (numbers: number[]): number => numbers.reduce((sum, number) => sum + number, 0);

/**
 * Number of parameters: `total`, and `active`, those used for one token that goes to K of the E experts of each MoE
 * layer. K is `expertsPerToken`; it is 1 for Switch, although a token may be dropped. Embeddings, norms, routers and
 * the head count in both; tied embeddings count once. The two are equal for a dense model. Follows the convention of
 * BTX, table 4 (6.7, 11.1 and 19.7 billion for Llama-2 7B shapes; sampled top-1 has 7.1 here because its first layer is
 * soft).
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
 * Follows the convention of PaLM's model FLOPs utilization (arXiv 2204.02311, appendix B): a multiply-add is two
 * operations, the backward pass costs twice the forward pass, and recomputation does not count. The sum of
 * - 6 (forward only: 2) times the active matmul weights: attention projections, the K experts' feed-forward blocks,
 *   routers, and the head, tied or not; without the embedding lookup, norms and biases. Frozen weights count 4 times
 *   because they pass gradients on but receive none;
 * - 12 (forward only: 4) * L * T * H * headSize for the scores and the weighted sum of values, over the whole T x T
 *   matrix, although the causal mask leaves half of it empty.
 */
export function flopsPerToken(config: ModelConfig, { training, freeze, ...options }: FlopsOptions): number {
  const whole = training ? 6 : 2;
  const blocks = blocksOf(declareModel(config, options));
  const multiplied = blocks.flatMap((block) => block.multiplied);
  const perWeight = (one: Multiplied) => (training ? whole - 2 * frozenShare(one, freeze) : whole);
  const products = whole * total(blocks.map(({ multiplyAdds }) => multiplyAdds));
  return total(multiplied.map((one) => perWeight(one) * one.weights)) + products;
}

/** Fraction of the matrices that are frozen. */
const frozenShare = ({ parameters }: Multiplied, freeze: Freeze | undefined): number =>
  parameters.filter((parameter) => isFrozen(parameter, freeze)).length / parameters.length;

/** The training options that memory depends on. */
interface Computing extends Pick<TrainingConfig, "recompute">, Precision {
  /** New parameters and moments take memory beside the old ones until a step is over, as on a GPU. */
  stateTwice?: boolean;
}

/**
 * Floats kept for all layers. With `recompute`: the inputs and outputs of all blocks, and the activations of the one
 * block being recomputed, attention or the average feed-forward block, whichever is larger.
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
 * Estimated memory of one training process, bytes: parameters, gradients and AdamW's two moments (16 bytes per
 * parameter), and the activations of one micro-batch of `microBatch` sequences at full context: those of every layer,
 * and the head's logits, their softmax and their gradient [N, V]. In float16, inputs and outputs of matrix products in
 * the blocks take half. With `stateTwice` there are 12 bytes more per parameter. The runtime's own needs come on top.
 */
export function trainingMemory(config: ModelConfig, microBatch: number, computing: Computing = {}): number {
  const head = declareModel(config).head.kept({ batch: microBatch, time: config.context, share: 1 });
  const activations = keptOfLayers(config, microBatch, computing) + head;
  const floats = computing.stateTwice ? 7 : 4;
  return FLOAT_BYTES * (floats * parameterCount(config).total + activations);
}
