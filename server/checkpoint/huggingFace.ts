import { expertsPerToken, type ModelConfig } from "../protocol/model.ts";
import { type CheckpointType, checkpointType } from "./checkpointType.ts";

export { checkpointType } from "./checkpointType.ts";
export { configFromHuggingFace } from "./readConfig.ts";

/**
 * A model's configuration as a Hugging Face `config.json`, of the type that can hold it (`checkpointType`).
 * Transformers refuses the type "btx" rather than fill in random weights or route otherwise.
 *
 * What Hugging Face has no key for lies under the key `btx`: the Mixture-of-Experts and, where a Mixtral's
 * `intermediate_size` is the width of its experts and the blocks they were cut from were wider, that width, `ffn`.
 */

export interface ConfigExtras {
  /** Id of the end-of-text token, which begins and ends every document. */
  endOfText?: number;
}

const architectures: Record<CheckpointType, string> = {
  llama: "LlamaForCausalLM",
  mixtral: "MixtralForCausalLM",
  btx: "BtxForCausalLM",
};

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
    intermediate_size: type === "mixtral" ? (config.moe?.ffn ?? config.ffn) : config.ffn,
    hidden_act: "silu",
    rope_theta: config.ropeTheta,
    rms_norm_eps: config.normEps,
    tie_word_embeddings: config.tiedEmbeddings,
    ...(type === "mixtral" ? {} : { attention_bias: config.attentionBias, mlp_bias: config.ffnBias }),
    ...moeKeys(config, type),
    attention_dropout: 0,
    initializer_range: 0.02,
    bos_token_id: endOfText,
    eos_token_id: endOfText,
    pad_token_id: null,
    use_cache: true,
    torch_dtype: "float32",
  };
}

function moeKeys({ moe, ffn }: ModelConfig, type: CheckpointType): Record<string, unknown> {
  if (!moe) return {};
  return {
    num_local_experts: moe.experts.length,
    num_experts_per_tok: expertsPerToken(moe, moe.layers.length - 1),
    router_aux_loss_coef: moe.router.loadBalance,
    output_router_logits: false,
    router_jitter_noise: 0,
    sliding_window: null,
    btx: { version: 1, moe, ...(type === "mixtral" && moe.ffn !== undefined ? { ffn } : {}) },
  };
}
