import type { ModelConfig } from "../protocol/model.ts";

export { configFromHuggingFace } from "./readConfig.ts";

/**
 * A model's configuration as a Hugging Face `config.json`. A dense model is a Llama; one whose feed-forward blocks are
 * all Mixtures-of-Experts and that has no biases is a Mixtral. What neither can say (some layers dense, or biases beside
 * experts) is of the type "btx", so that Transformers refuses it rather than fill in random weights.
 *
 * What Hugging Face has no key for lies under the key `btx`.
 */

export interface ConfigExtras {
  /** Id of the end-of-text token, which begins and ends every document. */
  endOfText?: number;
}

export type CheckpointType = "llama" | "mixtral" | "btx";

const architectures: Record<CheckpointType, string> = {
  llama: "LlamaForCausalLM",
  mixtral: "MixtralForCausalLM",
  btx: "BtxForCausalLM",
};

/** The Hugging Face model type that can hold a model. */
export function checkpointType(config: ModelConfig): CheckpointType {
  if (!config.moe) return "llama";
  const allLayers = config.moe.layers.length === config.layers;
  return allLayers && !config.attentionBias && !config.ffnBias ? "mixtral" : "btx";
}

/** `config.json` of a model, as an object. */
export function configToHuggingFace(config: ModelConfig, extras: ConfigExtras = {}): Record<string, unknown> {
  const type = checkpointType(config);
  const endOfText = extras.endOfText ?? null;
  return {
    architectures: [architectures[type]],
    model_type: type,
    vocab_size: config.vocab,
    max_position_embeddings: config.context,
    num_hidden_layers: config.layers,
    hidden_size: config.hidden,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headSize,
    intermediate_size: config.ffn,
    hidden_act: "silu",
    rope_theta: config.ropeTheta,
    rms_norm_eps: config.normEps,
    tie_word_embeddings: config.tiedEmbeddings,
    ...(type === "mixtral" ? {} : { attention_bias: config.attentionBias, mlp_bias: config.ffnBias }),
    ...moeKeys(config),
    attention_dropout: 0,
    initializer_range: 0.02,
    bos_token_id: endOfText,
    eos_token_id: endOfText,
    pad_token_id: null,
    use_cache: true,
    torch_dtype: "float32",
  };
}

function moeKeys({ moe }: ModelConfig): Record<string, unknown> {
  if (!moe) return {};
  return {
    num_local_experts: moe.experts.length,
    num_experts_per_tok: moe.router.k,
    router_aux_loss_coef: moe.router.loadBalance,
    output_router_logits: false,
    router_jitter_noise: 0,
    sliding_window: null,
    btx: { version: 1, moe },
  };
}
