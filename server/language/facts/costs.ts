import { checkFiles } from "../../experiment/checkFiles.ts";
import { phaseSteps, trainingConfig } from "../../experiment/phases.ts";
import { type Experiment, mixtureOf } from "../../experiment/resolve.ts";
import type { TrainingKeys } from "../../experiment/schema/training.ts";
import { flopsPerToken, parameterCount, trainingMemory } from "../../model/size.ts";
import { expertsPerToken, type ModelConfig, mixedConfig } from "../../protocol/model.ts";
import type { Freeze } from "../../protocol/stage.ts";

/** What training one model takes. */
export interface ModelCost {
  /** "seed", a domain, or "finetune". */
  name: string;
  steps: number;
  /** Tokens that are trained on: whole steps. */
  tokens: number;
  flops: number;
  /** Bytes, estimated. */
  memory: number;
}

export interface Costs {
  dense: { total: number; active: number };
  mixed: { total: number; active: number };
  /** Experts per token, averaged over MoE layers, and the number of experts. */
  routing: { perToken: number; experts: number };
  /** Undefined where the seed is loaded. */
  seed?: ModelCost;
  experts: ModelCost[];
  finetune: ModelCost;
}

/**
 * Sizes and training costs of an experiment. Reads the headers of a seed and the tokenizer that the file names, but no
 * text.
 * @param file the experiment file; undefined where it is on no disk.
 * @returns undefined where the seed cannot be read.
 */
export async function experimentCosts(experiment: Experiment, file: string | undefined): Promise<Costs | undefined> {
  // Without domains the check of files looks at seed and tokenizer only.
  const { shape, vocab } = await checkFiles({ ...experiment, domains: new Map() }, file ?? "untitled.btx.yaml");
  if (!shape) return undefined;
  const dense: ModelConfig = { vocab, ...shape };
  const mixed = mixedConfig(dense, mixtureOf(experiment));
  const { seed, domains, finetune } = experiment;
  const moe = mixed.moe!;
  const perLayer = moe.layers.map((_, position) => expertsPerToken(moe, position));
  return {
    dense: parameterCount(dense),
    mixed: parameterCount(mixed),
    routing: {
      perToken: perLayer.reduce((sum, k) => sum + k, 0) / perLayer.length,
      experts: moe.experts.length,
    },
    ...("from" in seed ? {} : { seed: modelCost("seed", dense, seed.tokens, seed.training) }),
    experts: [...domains].map(([name, { tokens, training }]) => modelCost(name, dense, tokens, training)),
    finetune: modelCost("finetune", mixed, finetune.tokens, finetune.training, finetune.freeze),
  };
}

function modelCost(name: string, config: ModelConfig, wanted: number, keys: TrainingKeys, freeze?: Freeze): ModelCost {
  const { batch, microBatch, ...computing } = trainingConfig(keys, wanted, config.context);
  const steps = phaseSteps(wanted, batch, config.context);
  const tokens = steps * batch * config.context;
  const flops = flopsPerToken(config, { training: true, freeze }) * tokens;
  return { name, steps, tokens, flops, memory: trainingMemory(config, microBatch, computing) };
}
