import { defined } from "../protocol/defined.ts";
import type { Phase, TrainingConfig } from "../protocol/stage.ts";
import type { TrainingKeys } from "./schema/training.ts";
import { microBatchTokens, trainingDefaults, warmupShare, warmupSteps } from "./schema/training.ts";

/** Optimizer steps of a phase: tokens over batch * context, rounded up. */
export const phaseSteps = (tokens: number, batch: number, context: number): number =>
  Math.ceil(tokens / (batch * context));

/** The largest divisor of `batch` that is at most `limit`. */
export function largestDivisor(batch: number, limit: number): number {
  for (let size = Math.min(batch, limit); size > 1; size--) if (batch % size === 0) return size;
  return 1;
}

/** Training keys with their defaults, for `tokens` tokens in sequences of `context` tokens. */
export function trainingConfig(keys: TrainingKeys, tokens: number, context: number): TrainingConfig {
  const { recompute, precision, ...values } = { ...trainingDefaults, ...defined(keys) };
  const steps = phaseSteps(tokens, values.batch, context);
  return {
    ...values,
    ...(recompute ? { recompute } : {}),
    ...(precision === "float16" ? { precision } : {}),
    microBatch: keys.microBatch ?? largestDivisor(values.batch, Math.floor(microBatchTokens / context)),
    warmup: keys.warmup ?? Math.min(warmupSteps, Math.floor(steps * warmupShare)),
  };
}

/**
 * One phase of training. Domains of the mixture are sorted by name, so that their order in the file changes nothing.
 */
export function trainingPhase(
  tokens: number,
  mixture: Record<string, number>,
  keys: TrainingKeys,
  context: number,
): Phase {
  const sorted = Object.fromEntries(Object.entries(mixture).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  return { tokens, mixture: sorted, training: trainingConfig(keys, tokens, context) };
}
