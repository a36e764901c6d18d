import { add, div, minimum, mul, type Scalar, sqrt, square, sub, sum, type Tensor } from "@tensorflow/tfjs-core";
import type { TrainingConfig } from "../protocol/stage.ts";

/** Square root of the sum of squares of all elements. */
export const globalNorm = (gradients: Tensor[]): Scalar =>
  sqrt(gradients.map((gradient) => sum(square(gradient))).reduce((total, part) => add(total, part))) as Scalar;

/** The factor that scales gradients of global norm `norm` down to `clip`, as in torch.nn.utils.clip_grad_norm_. */
export const clipFactor = (norm: Scalar, clip: number): Scalar => minimum(div(clip, add(norm, 1e-6)), 1) as Scalar;

/** Names of the batch's scalars [] that AdamW reads. */
export const optimizerInputs = ["decay", "stepSize", "epsilon"] as const;

/**
 * AdamW's scalars for one step, counted from 1, computed here in double precision so that the graph needs no powers.
 *
 * With the moments kept as M = m / (1 - beta1) and V = v / (1 - beta2), torch.optim.AdamW's update
 * p (1 - lr wd) - lr mhat / (sqrt(vhat) + eps) is p * decay - stepSize * M / (sqrt(V) + epsilon).
 */
export function adamWInputs(
  step: number,
  learningRate: number,
  { beta1, beta2, epsilon, weightDecay }: Pick<TrainingConfig, "beta1" | "beta2" | "epsilon" | "weightDecay">,
): Record<(typeof optimizerInputs)[number], number> {
  const correction1 = 1 - beta1 ** step;
  const scale2 = Math.sqrt((1 - beta2 ** step) / (1 - beta2));
  return {
    decay: 1 - learningRate * weightDecay,
    stepSize: (learningRate * (1 - beta1) * scale2) / correction1,
    epsilon: epsilon * scale2,
  };
}

export interface AdamWState {
  param: Tensor;
  /** First moment divided by 1 - beta1. */
  m: Tensor;
  /** Second moment divided by 1 - beta2. */
  v: Tensor;
}

export interface AdamWScalars {
  beta1: number;
  beta2: number;
  stepSize: Tensor;
  epsilon: Tensor;
  /** Absent for parameters without weight decay. */
  decay?: Tensor;
  /** Factor applied to gradients before use; default 1. */
  scale?: Tensor;
}

/**
 * One AdamW update of one parameter (Loshchilov and Hutter, arXiv 1711.05101); gradient and state share one shape.
 * The moments are scaled as described at `adamWInputs`, which saves a pass over each.
 */
export function adamW(gradient: Tensor, { param, m, v }: AdamWState, scalars: AdamWScalars): AdamWState {
  const { beta1, beta2, stepSize, epsilon, decay, scale } = scalars;
  const g = scale ? mul(gradient, scale) : gradient;
  const newM = add(mul(m, beta1), g);
  const newV = add(mul(v, beta2), square(g));
  const update = mul(div(newM, add(sqrt(newV), epsilon)), stepSize);
  return { param: sub(decay ? mul(param, decay) : param, update), m: newM, v: newV };
}

/**
 * Learning rate of optimizer step `step` (counted from 1) of `steps`: rises linearly over `warmup` steps, then decays
 * along half a cosine to `finalLearningRate` times the peak at the last step. BTX §4.1.2.
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
