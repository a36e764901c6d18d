import { matrix, sizeOf } from "../../../parameters/declaration.ts";
import { EMBEDDING, HEAD } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { type BlockDeclaration, wholeBlock } from "../declaration.ts";

const table = (name: string, { vocab, hidden }: ModelConfig) =>
  matrix({ name, shape: [vocab, hidden], group: "embeddings" });

/** The embedding [V, D]. Its rows are looked up, so there is no multiplication. */
export const embedding = (config: ModelConfig): BlockDeclaration => ({
  ...wholeBlock([table(EMBEDDING, config)]),
  multiplied: [],
});

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
