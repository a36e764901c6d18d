import { flopsPerToken } from "../model/size.ts";
import { type ModelConfig, mixedConfig } from "../protocol/model.ts";
import type { ModelShape, Phase } from "../protocol/stage.ts";
import { phaseSteps } from "./phases.ts";
import { type Experiment, mixtureOf } from "./resolve.ts";

/** What BTX itself is trained on, which baselines are matched with. */
export interface Trained {
  shape: ModelShape;
  /** Size of the vocabulary, as far as it is known before training. */
  vocab: number;
  /** Training of each expert that is mixed. */
  experts: Phase[];
  /** Training of the mixed model. */
  finetune: Phase;
}

/** FLOPs of a phase's training: whole steps, frozen parameters at their lower cost. */
function phaseFlops({ tokens, training }: Phase, config: ModelConfig): number {
  const { batch, freeze } = training;
  const trained = phaseSteps(tokens, batch, config.context) * batch * config.context;
  return trained * flopsPerToken(config, { training: true, ...(freeze ? { freeze } : {}) });
}

/**
 * Tokens on which the mixture, trained in full from copies of the seed, costs the FLOPs of the mixed experts' training
 * and the finetuning together: compute matching of BTX §4.1.2. Whole steps of the finetuning's batch, to the nearest, at
 * least one. Tokens of experts that are not mixed do not count.
 */
export function equalCompute(experiment: Experiment, { shape, vocab, experts, finetune }: Trained): number {
  const dense: ModelConfig = { vocab, ...shape };
  const mixed = mixedConfig(dense, mixtureOf(experiment));
  const flops = experts.reduce((sum, phase) => sum + phaseFlops(phase, dense), phaseFlops(finetune, mixed));
  const stepTokens = finetune.training.batch * shape.context;
  const steps = Math.round(flops / (stepTokens * flopsPerToken(mixed, { training: true })));
  return Math.max(1, steps) * stepTokens;
}
