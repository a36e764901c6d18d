import { openData } from "../data/dataset.ts";
import { initialParameters } from "../model/parameters.ts";
import { parameterCount } from "../model/size.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { SeedSpec, TrainSpec } from "../protocol/stage.ts";
import type { StageWork } from "./context.ts";
import { loadSeed, parentModel, saveModel } from "./model.ts";
import { train } from "./training/train.ts";

/**
 * The seed: the model that is branched. Trained from random weights on its mixture of domains, or loaded from a
 * checkpoint whose sizes must be those of the experiment. BTX §3.
 */
export const seed: StageWork<SeedSpec> = async (context) => {
  const { spec } = context;
  const vocab = await vocabularyOf(context.parent("data").folder);
  const config: ModelConfig = { ...spec.model, vocab };
  if (!spec.from) {
    const initial = async () => initialParameters(config, spec.randomSeed);
    return train(context, { config, initial, phases: spec.phases, randomSeed: spec.randomSeed });
  }
  const { path } = spec.from;
  const loaded = await loadSeed(path, vocab);
  // The experiment may train on shorter sequences than the seed could.
  const shortened = { ...loaded, config: { ...loaded.config, context: spec.model.context } };
  await saveModel(context, shortened, context.parent("data").folder);
  const { total, active } = parameterCount(loaded.config);
  return { parameters: total, activeParameters: active, tokens: 0, flops: 0 };
};

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

async function vocabularyOf(folder: string): Promise<number> {
  const data = await openData(folder);
  data.close();
  return data.index.vocab;
}
