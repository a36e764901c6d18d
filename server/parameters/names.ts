/** Names of parameters, as in Hugging Face's Llama and, for Mixture-of-Experts layers, its Mixtral. */

export const EMBEDDING = "model.embed_tokens.weight";
/** Learned embeddings of positions [T, D]. */
export const POSITIONS = "model.embed_positions.weight";
export const FINAL_NORM = "model.norm.weight";
export const HEAD = "lm_head.weight";

/** Prefix of the parameters of layer `layer`, counted from 0. */
export const layerPrefix = (layer: number): string => `model.layers.${layer}`;

export const attentionPrefix = (layer: number): string => `${layerPrefix(layer)}.self_attn`;
export const attentionNormName = (layer: number): string => `${layerPrefix(layer)}.input_layernorm.weight`;
export const feedForwardNormName = (layer: number): string => `${layerPrefix(layer)}.post_attention_layernorm.weight`;

/** Norms of what a block adds to the residual stream. */
export const attentionOutputNormName = (layer: number): string => `${layerPrefix(layer)}.attention_output_norm.weight`;
export const feedForwardOutputNormName = (layer: number): string =>
  `${layerPrefix(layer)}.feed_forward_output_norm.weight`;
/** Norms of a layer's queries and keys. */
export const queryNormName = (layer: number): string => `${attentionPrefix(layer)}.q_norm.weight`;
export const keyNormName = (layer: number): string => `${attentionPrefix(layer)}.k_norm.weight`;
/** The bias [D] of a LayerNorm, by the name of its weight. */
export const normBiasName = (weight: string): string => weight.replace(/weight$/, "bias");

/** Prefix of the Mixture-of-Experts block of layer `layer`. */
export const moePrefix = (layer: number): string => `${layerPrefix(layer)}.block_sparse_moe`;

/** The three linear layers of a feed-forward block, without ".weight" or ".bias". */
export interface FeedForwardNames {
  gate: string;
  up: string;
  down: string;
}

/** Prefix of the feed-forward block of the dense layer `layer`. */
export const feedForwardPrefix = (layer: number): string => `${layerPrefix(layer)}.mlp.`;

/** Names of a dense layer's block. Llama's gate_proj, up_proj and down_proj are Mixtral's w1, w3 and w2. */
export function feedForwardNames(layer: number): FeedForwardNames {
  const prefix = feedForwardPrefix(layer);
  return { gate: `${prefix}gate_proj`, up: `${prefix}up_proj`, down: `${prefix}down_proj` };
}

/** Names of one expert's block. */
export function expertNames(layer: number, expert: number): FeedForwardNames {
  const prefix = `${moePrefix(layer)}.experts.${expert}`;
  return { gate: `${prefix}.w1`, up: `${prefix}.w3`, down: `${prefix}.w2` };
}

/** Name of a layer's router weight [E, D]. */
export const routerName = (layer: number): string => `${moePrefix(layer)}.gate.weight`;

/**
 * Name of a layer's router bias [E], as in Hugging Face's DeepSeek-V3: added to the router's scores when experts are
 * chosen, not to their gates (arXiv 2408.15664). Present if `router.balance` is "bias".
 */
export const routerBiasName = (layer: number): string => `${moePrefix(layer)}.gate.e_score_correction_bias`;
