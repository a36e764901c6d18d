import { UserError } from "../protocol/errors.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { type OpenCheckpoint, openCheckpoint } from "./loadCheckpoint.ts";

/**
 * A checkpoint as the seed of an experiment. `btx check` and the seed stage share this code, so they accept the same
 * checkpoints.
 */

/**
 * Opens the checkpoint of a seed, which must be a dense model. Reads its configuration and the headers of its weights.
 * Close `weights` when done.
 *
 * @param shapes names and shapes of a model's parameters (`parameterShapes`)
 * @throws UserError naming the file, and the key or tensor, for a checkpoint that cannot be the seed.
 */
export const openSeed = (
  folder: string,
  shapes: (config: ModelConfig) => ReadonlyMap<string, number[]>,
): Promise<OpenCheckpoint> =>
  openCheckpoint(folder, (config) => {
    if (config.moe)
      throw new UserError(`the model in ${folder} is a Mixture-of-Experts already: only a dense model can be the seed`);
    return shapes(config);
  });

/**
 * Why a seed with an embedding of `vocab` rows cannot be used with a tokenizer of `tokens` tokens; undefined if it can.
 *
 * @param isMade whether the tokenizer was made for the experiment. One that came with a model may have fewer tokens than
 * the embedding has rows: these were rounded up.
 */
export function vocabularyProblem(folder: string, vocab: number, tokens: number, isMade = false): string | undefined {
  if (isMade ? vocab === tokens : vocab >= tokens) return undefined;
  return `the seed in ${folder} has a vocabulary of ${vocab} tokens, and the tokenizer one of ${tokens}: use the tokenizer that the seed was trained with`;
}
