import { flopsPerToken } from "../model/size.ts";
import { type ModelConfig, mixedConfig } from "../protocol/model.ts";
import type { ModelShape, Phase } from "../protocol/stage.ts";
import { phaseSteps } from "./phases.ts";
import { type Experiment, mixtureOf } from "./resolve.ts";

/** BTX's own training, with which baselines are matched. */
export interface Trained {
  shape: ModelShape;
  /** Size of the vocabulary, if it is known before training. */
  vocab: number;
  /** Training of each expert that is mixed. */
  experts: Phase[];
  /** Training of the mixed model. */
  finetune: Phase;
}

/** FLOPs of a phase: whole steps, with frozen parameters at their lower cost. */
function phaseFlops({ tokens, training }: Phase, config: ModelConfig): number {
  const { batch, freeze } = training;
  const trained = phaseSteps(tokens, batch, config.context) * batch * config.context;
  return trained * flopsPerToken(config, { training: true, ...(freeze ? { freeze } : {}) });
}

/**
 * Number of tokens for which training the mixture from copies of the seed costs as many FLOPs as training the mixed
 * experts and finetuning together: compute matching, BTX §4.1.2. Rounded to whole steps of the finetuning's batch, at
 * least one. Experts that are not mixed do not count.
 */
export function equalCompute(experiment: Experiment, { shape, vocab, experts, finetune }: Trained): number {
  const dense: ModelConfig = { vocab, ...shape };
  const mixed = mixedConfig(dense, mixtureOf(experiment));
  const flops = experts.reduce((sum, phase) => sum + phaseFlops(phase, dense), phaseFlops(finetune, mixed));
  const stepTokens = finetune.training.batch * shape.context;
  const steps = Math.round(flops / (stepTokens * flopsPerToken(mixed, { training: true })));
  return Math.max(1, steps) * stepTokens;
}
