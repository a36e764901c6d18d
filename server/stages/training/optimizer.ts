import type { Store } from "../../engine/store.ts";
import { sequenceBatch } from "../../model/loss.ts";
import { gumbelNoise } from "../../model/noise.ts";
import { adamWInputs } from "../../model/optimizer.ts";
import type { Values } from "../../ops/program.ts";
import { updateRouterBiases } from "./routerBias.ts";
import type { StepBatch } from "./stepBatch.ts";
import { type MakePrograms, type PhaseJob, scalar } from "./stepPrograms.ts";
import type { StepResult } from "./stepResult.ts";

export interface Optimizer {
  /** Runs optimizer step `step` of the phase, counted from 1. */
  step(batch: Omit<StepBatch, "noise">, step: number, learningRate: number): Promise<StepResult>;
  dispose(): Promise<void>;
}

/**
 * Optimizer steps on the parameters and moments in `store`, computed by the programs of the phase's objective. In
 * float16 only gradients that did not overflow are applied.
 *
 * A step depends only on its batch, its number and the phase. Noise for sampling routers depends on the phase's random
 * seed and the step, not on how the batch is cut.
 */
export async function openOptimizer(store: Store, job: PhaseJob, make: MakePrograms): Promise<Optimizer> {
  const { config, training, steps, momentSteps = 0, randomSeed } = job;
  const { batch, freeze } = training;
  const needed = sequenceBatch(config, batch, config.context, { training: true });
  const programs = await make(store, job);
  return {
    async step(sequencesOfStep, step, learningRate) {
      const tokens = batch * config.context;
      const noise = needed.noise ? { noise: gumbelNoise(config, tokens, randomSeed, step, batch) } : {};
      const inputs: Record<string, Values> = Object.fromEntries(
        Object.entries(adamWInputs(momentSteps + step, learningRate, training)).map(([name, value]) => [
          name,
          scalar(value),
        ]),
      );
      if (needed.progress) inputs.progress = scalar((step - 1) / steps);
      const result = await programs.run({ ...sequencesOfStep, ...noise }, inputs);
      await updateRouterBiases(store, config, result, freeze);
      return result;
    },
    dispose: () => programs.dispose(),
  };
}
