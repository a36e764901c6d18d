import { expectSilu, readDecoder, writeDecoder } from "./decoder.ts";
import type { Family } from "./family.ts";

/** Llama 1 to 3.3, TinyLlama, SmolLM 1 and 2, and what is shaped alike. */
export const llama: Family = {
  type: "llama",
  architecture: "LlamaForCausalLM",
  read(found) {
    expectSilu(found);
    return {
      ...readDecoder(found),
      attentionBias: found.boolean("attention_bias", false),
      ffnBias: found.boolean("mlp_bias", false),
    };
  },
  write: (config) => ({
    ...writeDecoder(config),
    attention_bias: config.attentionBias,
    mlp_bias: config.ffnBias,
  }),
};
