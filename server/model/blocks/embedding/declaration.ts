import { matrix, sizeOf } from "../../../parameters/declaration.ts";
import { EMBEDDING, HEAD, POSITIONS } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { type BlockDeclaration, wholeBlock } from "../declaration.ts";

const table = (name: string, { vocab, hidden }: ModelConfig) =>
  matrix({ name, shape: [vocab, hidden], group: "embeddings" });

/** The embedding [V, D] and any of positions [T, D]. Rows are looked up, so there is no multiplication. */
export function embedding(config: ModelConfig): BlockDeclaration {
  const { positions, context, hidden } = config;
  const ofPositions = positions ? [matrix({ name: POSITIONS, shape: [context, hidden], group: "embeddings" })] : [];
  return { ...wholeBlock([table(EMBEDDING, config), ...ofPositions]), multiplied: [] };
}

/**
 * The head [V, D]. If it is tied to the embedding, it has no parameter of its own, but its multiplication still counts.
 * Kept for the backward pass: the logits, their softmax and their gradient, [N, V] each.
 */
export function head(config: ModelConfig): BlockDeclaration {
  const weight = table(config.tiedEmbeddings ? EMBEDDING : HEAD, config);
  const own = wholeBlock(config.tiedEmbeddings ? [] : [weight], {
    kept: ({ batch, time }) => 3 * batch * time * config.vocab,
  });
  return { ...own, multiplied: [{ parameters: [weight], weights: sizeOf(weight) }] };
}
