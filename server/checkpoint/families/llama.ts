import { readBiases, readDecoder, writeBiases, writeDecoder } from "./decoder.ts";
import type { Family } from "./family.ts";

/** Llama 1 to 3.3, TinyLlama, SmolLM 1 and 2, and what is shaped alike. */
export const llama: Family = {
  type: "llama",
  architecture: "LlamaForCausalLM",
  read(found) {
    return {
      ...readDecoder(found),
      ...readBiases(found),
    };
  },
  write: (config) => ({
    ...writeDecoder(config),
    ...writeBiases(config),
  }),
};
