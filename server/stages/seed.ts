import { openData } from "../data/dataset.ts";
import { initialParameters } from "../model/parameters.ts";
import { parameterCount } from "../model/size.ts";
import { POSITIONS } from "../parameters/names.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { SeedSpec } from "../protocol/stage.ts";
import type { StageWork } from "./context.ts";
import { loadSeed, type Model, saveModel } from "./model.ts";
import { train } from "./training/train.ts";

/**
 * The seed, from which all experts are branched: trained from random weights on its mixture of domains, or loaded from
 * a checkpoint whose sizes must match the experiment. BTX §3.
 */
export const seed: StageWork<SeedSpec> = async (context) => {
  const { spec } = context;
  const data = context.parent("data").folder;
  const vocab = await vocabularyOf(data);
  const config: ModelConfig = { ...spec.model, vocab };
  if (!spec.from) {
    const initial = async () => initialParameters(config, spec.randomSeed);
    return train(context, { config, initial, phases: spec.phases, randomSeed: spec.randomSeed });
  }
  const { path } = spec.from;
  const loaded = await loadSeed(path, vocab);
  await saveModel(context, shortened(loaded, spec.model.context), { tokenizer: data, madeFrom: path });
  const { total, active } = parameterCount(loaded.config);
  return { parameters: total, activeParameters: active, tokens: 0, flops: 0 };
};

/** A model for sequences of at most `context` tokens, which may be shorter than the checkpoint supports. */
export function shortened({ config, parameters }: Model, context: number): Model {
  const learned = parameters.get(POSITIONS);
  const rows = learned && { shape: [context, config.hidden], data: learned.data.slice(0, context * config.hidden) };
  return {
    config: { ...config, context },
    parameters: rows ? new Map([...parameters, [POSITIONS, rows]]) : parameters,
  };
}

async function vocabularyOf(folder: string): Promise<number> {
  const data = await openData(folder);
  data.close();
  return data.index.vocab;
}
