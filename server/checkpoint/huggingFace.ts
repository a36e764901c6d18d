import { expertsPerToken, type ModelConfig, type MoeConfig } from "../protocol/model.ts";
import { familyOf } from "./families/index.ts";
import { mixtureFamilyOf } from "./families/mixtures.ts";
import { jsonWithFloats } from "./jsonWithFloats.ts";

export { checkpointType } from "./checkpointType.ts";
export { configFromHuggingFace } from "./readConfig.ts";

/**
 * A model's configuration as a Hugging Face `config.json`, of the type that can hold it (`checkpointType`).
 * Transformers refuses the type "btx" rather than fill in random weights or route otherwise.
 *
 * What Hugging Face has no key for lies under the key `btx`: the Mixture-of-Experts; the family of the models it was
 * mixed from, if that is not Llama; and, where a Mixtral's `intermediate_size` is the width of its experts and the
 * blocks they were cut from were wider, that width, `ffn`.
 */

export interface ConfigExtras {
  /** Id of the end-of-text token, which begins and ends every document. */
  endOfText?: number;
}

/** `config.json` of a model, as an object. */
export function configToHuggingFace(config: ModelConfig, extras: ConfigExtras = {}): Record<string, unknown> {
  const endOfText = extras.endOfText ?? null;
  return {
    ...(config.moe ? mixtureKeys(config, config.moe) : denseKeys(config)),
    attention_dropout: 0,
    initializer_range: 0.02,
    bos_token_id: endOfText,
    eos_token_id: endOfText,
    pad_token_id: null,
    use_cache: true,
    torch_dtype: "float32",
  };
}

function denseKeys(config: ModelConfig): Record<string, unknown> {
  const family = familyOf(config);
  return { architectures: [family.architecture], model_type: family.type, ...family.write(config) };
}

/** `config.json` of a model, as text. */
export const configText = (config: ModelConfig, extras?: ConfigExtras): string =>
  `${jsonWithFloats(configToHuggingFace(config, extras))}\n`;

function mixtureKeys(config: ModelConfig, moe: MoeConfig): Record<string, unknown> {
  const family = mixtureFamilyOf(config);
  const { family: dense, ffn } = config;
  const about = { version: 1, moe, ...(dense === undefined ? {} : { family: dense }) };
  if (family)
    return {
      architectures: [family.architecture],
      model_type: family.type,
      ...family.write(config),
      btx: { ...about, ...(moe.ffn === undefined ? {} : { ffn }) },
    };
  return {
    ...denseKeys(config),
    architectures: ["BtxForCausalLM"],
    model_type: "btx",
    num_local_experts: moe.experts.length,
    num_experts_per_tok: expertsPerToken(moe, moe.layers.length - 1),
    router_aux_loss_coef: moe.router.loadBalance,
    output_router_logits: false,
    router_jitter_noise: 0,
    btx: about,
  };
}
