import type { ModelConfig } from "../../protocol/model.ts";
import { readDecoder, readWindow, writeDecoder, writeWindow } from "./decoder.ts";
import type { Family, FoundConfig } from "./family.ts";

/** A window in the layers from `max_window_layers` on, if it is used at all. */
function windowOf(found: FoundConfig, layers: number): Pick<ModelConfig, "window"> {
  if (!found.boolean("use_sliding_window", false)) return {};
  const first = found.number("max_window_layers", 28);
  return readWindow(found, layers, (layer) => layer >= first);
}

const windowKeys = (config: ModelConfig): Record<string, unknown> => ({
  ...writeWindow(config),
  max_window_layers: config.window?.layers[0] ?? config.layers,
});

/** Qwen 1.5, 2 and 2.5: biases of queries, keys and values. */
export const qwen2: Family = {
  type: "qwen2",
  architecture: "Qwen2ForCausalLM",
  read(found) {
    const config = readDecoder(found, { kvHeads: 32 });
    return {
      ...config,
      family: "qwen2",
      attentionBias: true,
      outputBias: false,
      ...windowOf(found, config.layers),
    };
  },
  write: (config) => ({ ...writeDecoder(config), ...windowKeys(config) }),
};

/** Qwen 3: norms of each head's queries and keys. */
export const qwen3: Family = {
  type: "qwen3",
  architecture: "Qwen3ForCausalLM",
  read(found) {
    const config = readDecoder(found, { kvHeads: 32, headSize: 128 });
    return {
      ...config,
      family: "qwen3",
      attentionBias: found.boolean("attention_bias", false),
      qkNorm: "head",
      ...windowOf(found, config.layers),
    };
  },
  write: (config) => ({ ...writeDecoder(config), ...windowKeys(config), attention_bias: config.attentionBias }),
};
