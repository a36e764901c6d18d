import { attentionOutputNormName, feedForwardOutputNormName, layerPrefix } from "../../parameters/names.ts";
import { renamed } from "../storedTensors.ts";
import { readDecoder, writeDecoder } from "./decoder.ts";
import { allLayers, type Family } from "./family.ts";

/** OLMo 2: norms after the blocks, and of all queries and keys. */
export const olmo2: Family = {
  type: "olmo2",
  architecture: "Olmo2ForCausalLM",
  read(found) {
    return {
      ...readDecoder(found, { normEps: 1e-5 }),
      family: "olmo2",
      attentionBias: found.boolean("attention_bias", false),
      normPlacement: "after",
      qkNorm: "whole",
    };
  },
  write(config) {
    const { head_dim: _, ...keys } = writeDecoder(config);
    return { ...keys, attention_bias: config.attentionBias };
  },
  stored: (config) =>
    allLayers(config).flatMap((layer) => [
      renamed(`${layerPrefix(layer)}.post_attention_layernorm.weight`, attentionOutputNormName(layer)),
      renamed(`${layerPrefix(layer)}.post_feedforward_layernorm.weight`, feedForwardOutputNormName(layer)),
    ]),
};
