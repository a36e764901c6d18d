import { openSeed } from "../checkpoint/seed.ts";
import { assertInReach } from "../disk/reach.ts";
import { parameterShapes } from "../model/parameters.ts";
import type { ModelShape } from "../protocol/stage.ts";

/**
 * Shape and vocabulary of the checkpoint in a folder (`seed.from`), opened as the seed stage opens it: its
 * configuration and the headers of its weights are checked, no weight is read.
 *
 * @throws UserError naming the file, and the key or tensor, for a checkpoint that cannot be the seed.
 */
export async function readSeed(folder: string): Promise<{ shape: ModelShape; vocab: number }> {
  await assertInReach(folder);
  const { config, weights } = await openSeed(folder, parameterShapes);
  await weights.close();
  const { vocab, moe: _, ...shape } = config;
  return { shape, vocab };
}

/** The first size that the experiment gives and the checkpoint contradicts; a shorter context is no contradiction. */
export function firstDifference(given: Partial<ModelShape>, found: ModelShape): keyof ModelShape | undefined {
  const keys = Object.keys(given) as (keyof ModelShape)[];
  return keys.find((key) => (key === "context" ? given.context! > found.context : given[key] !== found[key]));
}

/** The checkpoint's shape with the experiment's context, if that is shorter. */
export const seedShape = (given: Partial<ModelShape>, found: ModelShape): ModelShape => ({
  ...found,
  context: Math.min(given.context ?? found.context, found.context),
});
