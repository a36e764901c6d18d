import { expertsPerToken, type ModelConfig } from "../protocol/model.ts";
import type { FoundModel } from "../runs/findModel.ts";
import { Choices, toldChoices } from "./choices.ts";
import { heldOutBatches, type Watch, withHeldOut } from "./heldOut.ts";
import type { WarmModel } from "./warmModel.ts";

/** Where the tokens of one held-out window go. */
export interface RoutedWindow {
  domain: string;
  /** Token ids [N], and the likeliest token after each. */
  ids: Int32Array;
  likeliest: Int32Array;
  choices: Choices;
}

/** Choices that are kept of a model at most: L * N * K. */
const mostKept = 40_000_000;

/**
 * Where a model's held-out text goes, by the windows of the evaluation of `evaluated`: the model itself, or one whose text
 * it is to be compared on. Kept with the model.
 */
export async function heldOutRouting(
  model: WarmModel,
  evaluated: FoundModel,
  watch: Watch,
): Promise<readonly RoutedWindow[]> {
  const name = `routing on the text of ${evaluated.run} ${evaluated.stage.name}`;
  const known = model.known.get(name) as RoutedWindow[] | undefined;
  if (known) return known;
  const windows = await withHeldOut(evaluated, async (data, spec) => {
    const config = model.config();
    const { context } = config;
    const program = await model.inspection(spec.batch, context);
    const perToken = (config.moe?.layers.length ?? 0) * toldChoices(config) * spec.domains.length;
    const tokens = Math.min(spec.tokens, Math.ceil(mostKept / Math.max(1, perToken)));
    const routed: RoutedWindow[] = [];
    for await (const batch of heldOutBatches(config, data, { ...spec, tokens }, watch)) {
      const results = await program.run({
        tokens: batch.tokens,
        targets: batch.targets,
        ...batch.noise,
        ...model.mask(),
      });
      for (let row = 0; row < spec.batch; row++) {
        const start = row * context;
        const count = batch.weights.subarray(start, start + context).reduce((sum, weight) => sum + weight, 0);
        if (count === 0) continue;
        const choices = new Choices(config, count);
        for (let t = 0; t < count; t++) choices.take(results, start + t, t);
        const likeliest = (results.likeliest as Int32Array).slice(start, start + count);
        routed.push({ domain: batch.domain, ids: batch.tokens.slice(start, start + count), likeliest, choices });
      }
    }
    return routed;
  });
  model.known.set(name, windows);
  return windows;
}

/** Choices of a token that say where it goes, in the layer at `position`: K, or 1 where all experts are computed. */
export function decidingChoices(config: ModelConfig, position: number): number {
  const count = expertsPerToken(config.moe!, position);
  return count === config.moe!.experts.length ? 1 : Math.min(count, toldChoices(config));
}
