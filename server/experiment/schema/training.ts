import * as z from "zod";
import { notes } from "./notes.ts";

/** Defaults; those of `microBatch` and `warmup` depend on other keys. */
export const trainingDefaults = {
  batch: 16,
  learningRate: 1e-3,
  finalLearningRate: 0.1,
  weightDecay: 0.1,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  clip: 1,
  recompute: false,
  precision: "float32",
} as const;

/** Longest default warm-up, in steps. BTX §4.1.2. */
export const warmupSteps = 100;
/** The default warm-up takes at most this share of a phase's steps. */
export const warmupShare = 0.1;
/** Most tokens of a default micro-batch: enough for large matrix products, few enough for little memory. */
export const microBatchTokens = 4096;

/**
 * The training keys. In `training` they apply to all stages; `seed`, `experts` and `finetune` may override them, and a
 * domain for its own expert.
 * @param inherited where the value of an absent key comes from; if not given, from the defaults.
 */
export function trainingKeys(inherited?: string) {
  const otherwise = (value: unknown, text?: string) =>
    inherited ? { defaultText: inherited } : text ? { defaultText: text } : { default: value };
  return {
    batch: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .meta(
        notes({
          description: "Sequences in one optimizer step, each as long as `model.context`.",
          unit: "sequences",
          paper: "4M tokens: 1,024 sequences of 4,096",
          ...otherwise(trainingDefaults.batch),
        }),
      ),
    microBatch: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .meta(
        notes({
          description:
            "Sequences processed at once; must divide `batch`. Gradients are accumulated over batch / microBatch of these, so a smaller value needs less memory.",
          unit: "sequences",
          ...otherwise(undefined, `the largest divisor of \`batch\` with at most ${microBatchTokens} tokens`),
        }),
      ),
    recompute: z
      .boolean()
      .optional()
      .meta(
        notes({
          description:
            "Recompute attention and feed-forward blocks in the backward pass instead of keeping their activations: with long sequences this takes much less memory, for about a third more computation. Results do not change. `engine: tfjs` ignores this key.",
          ...otherwise(trainingDefaults.recompute),
        }),
      ),
    precision: z
      .enum(["float32", "float16"])
      .optional()
      .meta(
        notes({
          description:
            "Precision of the inputs and outputs of large matrix products in attention and feed-forward blocks. `float32`: full precision. `float16`: these activations take half the memory, and GPUs with float16 are faster; other devices refuse it. The loss is scaled to keep gradients in range. Parameters, AdamW's moments, norms, softmax, routers, the head and the loss are float32 in either case.",
          ...otherwise(trainingDefaults.precision),
        }),
      ),
    learningRate: z
      .number()
      .positive()
      .optional()
      .meta(
        notes({
          description: "Peak learning rate of AdamW, reached at the end of the warm-up.",
          paper: "1e-4",
          ...otherwise(trainingDefaults.learningRate),
        }),
      ),
    finalLearningRate: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .meta(
        notes({
          description: "The cosine decay ends at this share of the peak learning rate.",
          unit: "share of the peak",
          paper: "0.1",
          ...otherwise(trainingDefaults.finalLearningRate),
        }),
      ),
    warmup: z
      .int()
      .min(0)
      .optional()
      .meta(
        notes({
          description:
            "Steps of linear warm-up. The default is limited to a tenth of the phase's steps; a given value is used as it is.",
          unit: "steps",
          paper: "100",
          ...otherwise(undefined, `${warmupSteps}, but at most a tenth of the phase's steps`),
        }),
      ),
    weightDecay: z
      .number()
      .min(0)
      .optional()
      .meta(
        notes({
          description: "Decoupled weight decay of AdamW; norms and biases are not decayed.",
          paper: "0.1",
          ...otherwise(trainingDefaults.weightDecay),
        }),
      ),
    beta1: z
      .number()
      .min(0)
      .lt(1)
      .optional()
      .meta(notes({ description: "Decay of AdamW's first moment.", ...otherwise(trainingDefaults.beta1) })),
    beta2: z
      .number()
      .min(0)
      .lt(1)
      .optional()
      .meta(notes({ description: "Decay of AdamW's second moment.", ...otherwise(trainingDefaults.beta2) })),
    epsilon: z
      .number()
      .positive()
      .optional()
      .meta(
        notes({
          description: "Added to the square root of AdamW's second moment.",
          ...otherwise(trainingDefaults.epsilon),
        }),
      ),
    clip: z
      .number()
      .min(0)
      .optional()
      .meta(
        notes({
          description: "Largest global norm of the gradient; a longer gradient is scaled down. 0 turns clipping off.",
          ...otherwise(trainingDefaults.clip),
        }),
      ),
  };
}

const trainingValues = z.object(trainingKeys());
/** Training keys as they stand in one section; absent keys are inherited. */
export type TrainingKeys = z.output<typeof trainingValues>;
export const trainingKeyNames = Object.keys(trainingKeys()) as (keyof TrainingKeys)[];
