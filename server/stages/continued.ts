import type { SeedSpec, TrainSpec } from "../protocol/stage.ts";
import type { StageWork } from "./context.ts";
import { parentModel } from "./model.ts";
import { train } from "./training/train.ts";

/**
 * Training that goes on from a parent model, all parameters free but those that a phase freezes:
 * - an expert: the seed on one domain, without traffic to the others (BTX §3.1);
 * - finetune: the mixed model on the mixture of domains (BTX §3.2, the MiX stage);
 * - dense and upcycling: the baselines, data-matched, first the experts' data, then the mixture (BTX §4.1.2).
 */
export const continued: StageWork<Exclude<TrainSpec, SeedSpec>> = async (context) => {
  const { spec } = context;
  const { config, parameters } = await parentModel(context);
  return train(context, { config, initial: async () => parameters, phases: spec.phases, randomSeed: spec.randomSeed });
};
