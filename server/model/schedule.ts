import type { TrainingConfig } from "../protocol/stage.ts";

/**
 * Learning rate of optimizer step `step`, counted from 1, of `steps`: rises linearly over `warmup` steps, then falls by
 * half a cosine to `finalLearningRate` times the peak at the last step. BTX §4.1.2.
 */
export function learningRateAt(
  step: number,
  steps: number,
  { learningRate, finalLearningRate, warmup }: Pick<TrainingConfig, "learningRate" | "finalLearningRate" | "warmup">,
): number {
  if (step <= warmup) return (learningRate * step) / warmup;
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  const share = finalLearningRate + ((1 - finalLearningRate) * (1 + Math.cos(Math.PI * progress))) / 2;
  return learningRate * share;
}
