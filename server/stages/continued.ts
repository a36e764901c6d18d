import type { SeedSpec, TrainSpec } from "../protocol/stage.ts";
import type { StageWork } from "./context.ts";
import { parentModel } from "./model.ts";
import { train } from "./training/train.ts";

/**
 * Continues training from a parent model. All parameters are trained except the ones that a phase freezes.
 * - expert: the seed on one domain, without communication with the others (BTX §3.1);
 * - finetune: the mixed model on the mixture of domains (BTX §3.2, the MiX stage);
 * - dense and upcycling: the data-matched baselines, first on the experts' data, then on the mixture (BTX §4.1.2).
 */
export const continued: StageWork<Exclude<TrainSpec, SeedSpec>> = async (context) => {
  const { spec } = context;
  const { config, parameters } = await parentModel(context);
  const { phases, randomSeed } = spec;
  const madeFrom = context.parent("model").checkpoint;
  return train(context, { config, initial: async () => parameters, phases, randomSeed, madeFrom });
};
