import type { ModelConfig } from "../protocol/model.ts";

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

/** Weights of one feed-forward block, without biases: gate and up [D, F], down [F, D]. */
const ffnWeights = (config: ModelConfig): number => 3 * config.hidden * config.ffn;

const ffnBiases = (config: ModelConfig): number => (config.ffnBias ? 2 * config.ffn + config.hidden : 0);

/** Feed-forward blocks, summed over layers, when `experts` of them work in each MoE layer. */
const ffnBlocks = (config: ModelConfig, experts: number): number =>
  config.layers - moeLayerCount(config) + moeLayerCount(config) * experts;

/** Weights of all routers: one linear D to E a MoE layer, without bias. BTX §3.2. */
const routerWeights = (config: ModelConfig): number =>
  moeLayerCount(config) * config.hidden * (config.moe?.experts.length ?? 0);

/**
 * Number of parameters: `total`, and `active`, those that one token meets when it goes to K of the E experts of each
 * MoE layer. Embeddings, norms, routers and the head count in both; tied embeddings count once. For a dense model the
 * two are equal. The convention of BTX, table 4 (6.7, 11.1 and 19.7 billion for Llama-2 7B shapes).
 */
export function parameterCount(config: ModelConfig): { total: number; active: number } {
  const embeddings = config.vocab * config.hidden * (config.tiedEmbeddings ? 1 : 2);
  const norms = (2 * config.layers + 1) * config.hidden;
  const attention = config.layers * (attentionWeights(config) + attentionBiases(config));
  const shared = embeddings + norms + attention + routerWeights(config);
  const block = ffnWeights(config) + ffnBiases(config);
  const experts = config.moe?.experts.length ?? 0;
  const active = Math.min(config.moe?.router.k ?? 0, experts);
  return { total: shared + block * ffnBlocks(config, experts), active: shared + block * ffnBlocks(config, active) };
}

/**
 * Floating-point operations a token, at full context (T = `context`).
 *
 * Convention of the model FLOPs utilisation of PaLM (arXiv 2204.02311, appendix B): a multiply-add is two operations;
 * the backward pass costs twice the forward pass, and recomputation is not counted. Counted are
 * - 6 (forward alone: 2) times the active matmul weights: attention projections, the K experts' feed-forward blocks,
 *   routers, and the head, tied or not; the embedding lookup, norms and biases are not;
 * - 12 (forward alone: 4) * L * T * H * headSize for the scores and the weighted sum of values, over the whole T x T
 *   matrix although the causal mask leaves half of it empty.
 */
export function flopsPerToken(config: ModelConfig, { training }: { training: boolean }): number {
  const active = Math.min(config.moe?.router.k ?? 0, config.moe?.experts.length ?? 0);
  const weights =
    config.layers * attentionWeights(config) +
    ffnBlocks(config, active) * ffnWeights(config) +
    routerWeights(config) +
    config.vocab * config.hidden;
  const attention = 2 * config.layers * config.context * config.heads * config.headSize;
  return (training ? 6 : 2) * (weights + attention);
}

/**
 * Floats kept from one layer's forward pass for its backward pass, for B sequences of T tokens (N = B*T):
 * the layer's input, both norms' outputs, q, k, v, rotated q and k, k and v repeated to H heads, scores and
 * probabilities [B, H, T, T], the weighted values, two residual sums, and gate, up, silu(gate) and their product.
 * In a MoE layer the feed-forward part has S = N*K rows, gathered and scattered once, and the router's logits and gates.
 */
function layerActivations(config: ModelConfig, batch: number, moe: boolean): number {
  const tokens = batch * config.context;
  const { query, keyValue } = widths(config);
  const attention =
    tokens * (3 * config.hidden + 5 * query + 3 * keyValue) + 2 * batch * config.heads * config.context ** 2;
  const rows = moe && config.moe ? tokens * config.moe.router.k : tokens;
  const routing = moe && config.moe ? 2 * rows * config.hidden + 2 * tokens * config.moe.experts.length : 0;
  return attention + tokens * 2 * config.hidden + rows * 4 * config.ffn + routing;
}

/**
 * Estimated bytes of one training process in float32: parameters, gradients and AdamW's two moments (16 bytes a
 * parameter), and the activations of one micro-batch of `microBatch` sequences at full context: those of every layer,
 * and the head's logits, their softmax and their gradient [N, V]. The runtime's own needs come on top.
 */
export function trainingMemory(config: ModelConfig, microBatch: number): number {
  const moeLayers = moeLayerCount(config);
  const tokens = microBatch * config.context;
  const activations =
    (config.layers - moeLayers) * layerActivations(config, microBatch, false) +
    moeLayers * layerActivations(config, microBatch, true) +
    3 * tokens * config.vocab;
  return FLOAT_BYTES * (4 * parameterCount(config).total + activations);
}
