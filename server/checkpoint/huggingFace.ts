import { expertsPerToken, type ModelConfig } from "../protocol/model.ts";
import { checkpointType } from "./checkpointType.ts";
import { familyOf } from "./families/index.ts";
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
  const family = familyOf(config);
  const type = checkpointType(config);
  const endOfText = extras.endOfText ?? null;
  const dense = { architectures: [family.architecture], model_type: family.type, ...family.write(config) };
  return {
    ...dense,
    ...mixtureKeys(config, type),
    attention_dropout: 0,
    initializer_range: 0.02,
    bos_token_id: endOfText,
    eos_token_id: endOfText,
    pad_token_id: null,
    use_cache: true,
    torch_dtype: "float32",
  };
}

/** `config.json` of a model, as text. */
export const configText = (config: ModelConfig, extras?: ConfigExtras): string =>
  `${jsonWithFloats(configToHuggingFace(config, extras))}\n`;

function mixtureKeys(config: ModelConfig, type: string): Record<string, unknown> {
  const { moe, ffn, family, window } = config;
  if (!moe) return {};
  const isMixtral = type === "mixtral";
  return {
    architectures: [isMixtral ? "MixtralForCausalLM" : "BtxForCausalLM"],
    model_type: type,
    ...(isMixtral ? { intermediate_size: moe.ffn ?? ffn } : {}),
    num_local_experts: moe.experts.length,
    num_experts_per_tok: expertsPerToken(moe, moe.layers.length - 1),
    router_aux_loss_coef: moe.router.loadBalance,
    output_router_logits: false,
    router_jitter_noise: 0,
    ...(isMixtral ? { sliding_window: window?.size ?? null } : {}),
    btx: {
      version: 1,
      moe,
      ...(family === undefined ? {} : { family }),
      ...(isMixtral && moe.ffn !== undefined ? { ffn } : {}),
    },
  };
}
