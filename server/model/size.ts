import { expertsPerToken, type ModelConfig } from "../protocol/model.ts";
import type { FrozenGroup, TrainingConfig } from "../protocol/stage.ts";
import { expertWidth } from "./parameters.ts";

const FLOAT_BYTES = 4;

/** Widths of the attention projections: H * headSize and kvHeads * headSize. */
const widths = (config: ModelConfig) => ({
  query: config.heads * config.headSize,
  keyValue: config.kvHeads * config.headSize,
});

/** Number of layers whose feed-forward block is a Mixture-of-Experts. */
const moeLayerCount = (config: ModelConfig): number => config.moe?.layers.length ?? 0;

/** Weights of one layer's four attention projections, without biases: q and o [D, H*d], k and v [D, kvHeads*d]. */
function attentionWeights(config: ModelConfig): number {
  const { query, keyValue } = widths(config);
  return 2 * config.hidden * query + 2 * config.hidden * keyValue;
}

function attentionBiases(config: ModelConfig): number {
  if (!config.attentionBias) return 0;
  const { query, keyValue } = widths(config);
  return query + 2 * keyValue + config.hidden;
}

/** Weights of one feed-forward block of width F, without biases: gate and up [D, F], down [F, D]. */
const ffnWeights = (config: ModelConfig, ffn: number): number => 3 * config.hidden * ffn;

const ffnBiases = (config: ModelConfig, ffn: number): number => (config.ffnBias ? 2 * ffn + config.hidden : 0);

const ffnParameters = (config: ModelConfig, ffn: number): number => ffnWeights(config, ffn) + ffnBiases(config, ffn);

/** Experts a token goes to, for each Mixture-of-Experts layer: at most all. */
const activeExperts = ({ moe }: ModelConfig): number[] =>
  moe ? moe.layers.map((_, position) => Math.min(expertsPerToken(moe, position), moe.experts.length)) : [];

const total = (numbers: number[]): number => numbers.reduce((sum, number) => sum + number, 0);

/** Weights of all routers: one linear D to E a MoE layer, without bias. BTX §3.2. */
const routerWeights = (config: ModelConfig): number =>
  moeLayerCount(config) * config.hidden * (config.moe?.experts.length ?? 0);

/** Numbers by which load is balanced without a loss: one an expert and MoE layer. */
const routerBiases = ({ moe }: ModelConfig): number =>
  moe?.router.balance === "bias" ? moe.layers.length * moe.experts.length : 0;

/**
 * Number of parameters: `total`, and `active`, those that one token meets when it goes to K of the E experts of each
 * MoE layer; K is that of `expertsPerToken`, 1 of Switch although a token may be dropped. Embeddings, norms, routers and
 * the head count in both; tied embeddings count once. For a dense model the two are equal. The convention of BTX, table 4
 * (6.7, 11.1 and 19.7 billion for Llama-2 7B shapes; sampled top-1 has 7.1 here, for its first layer is soft).
 */
export function parameterCount(config: ModelConfig): { total: number; active: number } {
  const embeddings = config.vocab * config.hidden * (config.tiedEmbeddings ? 1 : 2);
  const norms = (2 * config.layers + 1) * config.hidden;
  const attention = config.layers * (attentionWeights(config) + attentionBiases(config));
  const dense = (config.layers - moeLayerCount(config)) * ffnParameters(config, config.ffn);
  const shared = embeddings + norms + attention + dense + routerWeights(config) + routerBiases(config);
  const expert = ffnParameters(config, expertWidth(config));
  return {
    total: shared + expert * moeLayerCount(config) * (config.moe?.experts.length ?? 0),
    active: shared + expert * total(activeExperts(config)),
  };
}

export interface FlopsOptions {
  training: boolean;
  /** Groups of parameters that are not trained. */
  freeze?: readonly FrozenGroup[];
}

/**
 * Floating-point operations a token, at full context (T = `context`).
 *
 * Convention of the model FLOPs utilisation of PaLM (arXiv 2204.02311, appendix B): a multiply-add is two operations;
 * the backward pass costs twice the forward pass, and recomputation is not counted. Counted are
 * - 6 (forward alone: 2) times the active matmul weights: attention projections, the K experts' feed-forward blocks,
 *   routers, and the head, tied or not; the embedding lookup, norms and biases are not. Frozen weights count 4 times: they
 *   pass a gradient on and get none;
 * - 12 (forward alone: 4) * L * T * H * headSize for the scores and the weighted sum of values, over the whole T x T
 *   matrix although the causal mask leaves half of it empty.
 */
export function flopsPerToken(config: ModelConfig, { training, freeze = [] }: FlopsOptions): number {
  const whole = training ? 6 : 2;
  const weightsOf: Record<FrozenGroup, number> = {
    experts: total(activeExperts(config)) * ffnWeights(config, expertWidth(config)),
    attention: config.layers * attentionWeights(config),
    router: routerWeights(config),
    embeddings: config.vocab * config.hidden,
  };
  const grouped = Object.entries(weightsOf).map(
    ([group, weights]) => weights * (training && freeze.includes(group as FrozenGroup) ? 4 : whole),
  );
  const dense = (config.layers - moeLayerCount(config)) * ffnWeights(config, config.ffn);
  const attention = 2 * config.layers * config.context * config.heads * config.headSize;
  return total(grouped) + whole * (dense + attention);
}

/** What training computes with, as far as its memory depends on it. */
interface Computing extends Pick<TrainingConfig, "recompute" | "precision"> {
  /** Until a step is over its new parameters and moments lie beside the old, as on a graphics card. */
  stateTwice?: boolean;
}

/** Floats that a value of the blocks' products takes. */
const share = ({ precision }: Computing): number => (precision === "float16" ? 1 / 2 : 1);

/**
 * Floats kept from the attention of one layer's forward pass for its backward pass, for B sequences of T tokens
 * (N = B*T): the layer's input, both norms' outputs, q, k, v, rotated q and k, k and v repeated to H heads, scores and
 * probabilities [B, H, T, T], the weighted values, and two residual sums.
 */
function attentionActivations(config: ModelConfig, batch: number, computing: Computing): number {
  const tokens = batch * config.context;
  const { query, keyValue } = widths(config);
  const products = tokens * (5 * query + 3 * keyValue) + 2 * batch * config.heads * config.context ** 2;
  return tokens * 5 * config.hidden + share(computing) * products;
}

/**
 * Floats kept from the feed-forward parts of all layers: gate, up, silu(gate) and their product; in a MoE layer of
 * S = N*K rows, gathered and scattered once, and the router's logits and gates.
 */
function ffnActivations(config: ModelConfig, tokens: number, computing: Computing): number {
  const dense = (config.layers - moeLayerCount(config)) * tokens * 4 * config.ffn;
  const experts = config.moe?.experts.length ?? 0;
  const rows = activeExperts(config).map((k) => tokens * k * (4 * expertWidth(config) + 2 * config.hidden));
  return share(computing) * (dense + total(rows)) + 2 * tokens * experts * moeLayerCount(config);
}

/** Floats kept from all layers: with `recompute` what their blocks are given and give, and what one layer makes anew. */
function layerActivations(config: ModelConfig, microBatch: number, computing: Computing): number {
  const tokens = microBatch * config.context;
  const attention = attentionActivations(config, microBatch, computing);
  const ffn = ffnActivations(config, tokens, computing);
  if (!computing.recompute) return config.layers * attention + ffn;
  return config.layers * tokens * 4 * config.hidden + Math.max(attention, ffn / config.layers);
}

/**
 * Estimated bytes of one training process: parameters, gradients and AdamW's two moments (16 bytes a
 * parameter), and the activations of one micro-batch of `microBatch` sequences at full context: those of every layer,
 * and the head's logits, their softmax and their gradient [N, V]. In float16 what products in the blocks read and give
 * takes half. Where a step's new state lies beside the old, that is 12 bytes a parameter more. The runtime's own needs come on top.
 */
export function trainingMemory(config: ModelConfig, microBatch: number, computing: Computing = {}): number {
  const head = 3 * microBatch * config.context * config.vocab;
  const activations = layerActivations(config, microBatch, computing) + head;
  const floats = computing.stateTwice ? 7 : 4;
  return FLOAT_BYTES * (floats * parameterCount(config).total + activations);
}
