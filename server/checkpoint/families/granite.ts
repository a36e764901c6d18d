import { readBiases, readDecoder, writeBiases, writeDecoder } from "./decoder.ts";
import type { Family } from "./family.ts";

/** Granite 3: factors of embeddings, scores, residuals and logits. */
export const granite: Family = {
  type: "granite",
  architecture: "GraniteForCausalLM",
  read(found) {
    return {
      ...readDecoder(found),
      family: "granite",
      ...readBiases(found),
      attentionScale: found.positive("attention_multiplier", 1),
      multipliers: {
        embedding: found.positive("embedding_multiplier", 1),
        residual: found.positive("residual_multiplier", 1),
      },
      logitsDivisor: found.positive("logits_scaling", 1),
    };
  },
  write(config) {
    const { head_dim: _, ...keys } = writeDecoder(config);
    return {
      ...keys,
      ...writeBiases(config),
      attention_multiplier: config.attentionScale,
      embedding_multiplier: config.multipliers?.embedding,
      residual_multiplier: config.multipliers?.residual,
      logits_scaling: config.logitsDivisor,
    };
  },
};
