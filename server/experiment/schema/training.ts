import * as z from "zod";
import { notes } from "./notes.ts";

/** What applies where an experiment says nothing. `microBatch` and `warmup` depend on other keys. */
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

/** Longest warm-up that is chosen by itself, in steps. BTX §4.1.2. */
export const warmupSteps = 100;
/** Share of a phase's steps that a warm-up takes at most, unless it is given. */
export const warmupShare = 0.1;
/** Tokens of a micro-batch where none is given, at most: as many as keep matrix products large and memory small. */
export const microBatchTokens = 4096;

/**
 * The training keys. They stand in `training` for all stages and may be overridden in `seed`, `experts` and `finetune`,
 * and for one expert in its domain.
 * @param inherited where the value comes from when the key is absent; without it, the defaults.
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
            "Sequences worked on at once; divides `batch`. Gradients are accumulated over batch / microBatch of them: smaller needs less memory.",
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
            "Attention and feed-forward blocks are computed once more for their gradients, not kept: much less memory where sequences are long, for about a third more work. The results do not change. `engine: tfjs` keeps them all the same.",
          ...otherwise(trainingDefaults.recompute),
        }),
      ),
    precision: z
      .enum(["float32", "float16"])
      .optional()
      .meta(
        notes({
          description:
            "Precision of what large products read and give in attention and feed-forward blocks. `float16`: half the memory of such activations, faster on graphics cards that have it, refused on others; the loss is scaled so that gradients stay in its range. Parameters, AdamW's moments, norms, softmax, routers, the head and the loss are float32 in both.",
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
            "Steps of linear warm-up. If it is not given, it is at most a tenth of the steps of the phase; if it is given, it is taken as it stands.",
          unit: "steps",
          paper: "100",
          ...otherwise(undefined, `${warmupSteps}, but at most a tenth of the steps of the phase`),
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
        notes({ description: "Added to the root of AdamW's second moment.", ...otherwise(trainingDefaults.epsilon) }),
      ),
    clip: z
      .number()
      .min(0)
      .optional()
      .meta(
        notes({
          description:
            "Largest global norm of the gradient; a longer gradient is scaled down. 0 switches clipping off.",
          ...otherwise(trainingDefaults.clip),
        }),
      ),
  };
}

const trainingValues = z.object(trainingKeys());
/** Training keys as given at one place; absent ones come from elsewhere. */
export type TrainingKeys = z.output<typeof trainingValues>;
export const trainingKeyNames = Object.keys(trainingKeys()) as (keyof TrainingKeys)[];
