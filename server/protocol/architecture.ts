import * as z from "zod";

/**
 * What a decoder may compute differently from Llama, each as an optional key of a model's configuration. Absent keys
 * mean "as Llama". A family of models (checkpoint/families/) is a combination of them.
 */

const layers = z.array(z.int().min(0));
const factor = z.number().positive();

/** How rotary frequencies are stretched for longer contexts than a model was first trained with. */
export const ropeScalingSchema = z.discriminatedUnion("type", [
  /** All positions are divided by the factor. */
  z.strictObject({ type: z.literal("linear"), factor }),
  /** The base grows with the length of a pass beyond `original` tokens (NTK). */
  z.strictObject({ type: z.literal("dynamic"), factor, original: z.int().min(1) }),
  /** Llama 3.1: low frequencies are divided by the factor, high ones kept, those between interpolated. */
  z.strictObject({
    type: z.literal("llama3"),
    factor,
    lowFrequency: factor,
    highFrequency: factor,
    original: z.int().min(1),
  }),
  /** YaRN, arXiv 2309.00071: as llama3, by number of rotations, and the tables are multiplied by `attention`. */
  z.strictObject({
    type: z.literal("yarn"),
    factor,
    original: z.int().min(1),
    betaFast: factor,
    betaSlow: factor,
    truncate: z.boolean(),
    attention: factor,
  }),
  /** LongRoPE, arXiv 2402.13753: one factor a frequency, `long` in passes of more than `original` tokens. */
  z.strictObject({
    type: z.literal("longrope"),
    short: z.array(factor),
    long: z.array(factor),
    original: z.int().min(1),
    attention: factor,
  }),
]);
export type RopeScaling = z.infer<typeof ropeScalingSchema>;

export const architectureShape = {
  /** The family that its checkpoints are written as; absent: llama. "olmoe" has mixtures only. */
  family: z
    .enum(["mistral", "qwen2", "qwen3", "phi3", "gemma", "gemma2", "gemma3_text", "olmo2", "granite", "smollm3"])
    .or(z.enum(["gpt_neox", "gpt2", "olmoe"]))
    .optional(),
  ropeScaling: ropeScalingSchema.optional(),
  /** Share of each head's width that is rotated. */
  ropeShare: z.number().gt(0).lt(1).optional(),
  /** Layers without rotary embeddings. */
  withoutRope: layers.optional(),
  /** Another base, without scaling, in the layers with a window. */
  windowRopeTheta: z.number().positive().optional(),
  /** "learned": a table of positions is added to the embedding, and nothing is rotated. */
  positions: z.literal("learned").optional(),
  /** In `layers` a token sees itself and the `size` - 1 tokens before it. */
  window: z.strictObject({ size: z.int().min(1), layers }).optional(),
  /** Norms of queries and keys: of each head, or of the whole projection. */
  qkNorm: z.enum(["head", "whole"]).optional(),
  /** Whether the output projection has a bias, where that differs from `attentionBias`. */
  outputBias: z.boolean().optional(),
  /** Scores are multiplied by this instead of 1 / sqrt(headSize). */
  attentionScale: z.number().positive().optional(),
  /** c tanh(x / c) of attention scores and of the final logits. */
  softCap: z.strictObject({ attention: factor.optional(), logits: factor.optional() }).optional(),
  /** Factors of the embedding and of what a block adds to the residual stream. */
  multipliers: z.strictObject({ embedding: factor.optional(), residual: factor.optional() }).optional(),
  /** The final logits are divided by it. */
  logitsDivisor: factor.optional(),
  /** "layer": LayerNorm with a bias; "plus-one": RMS norm by 1 + weight. */
  norm: z.enum(["layer", "plus-one"]).optional(),
  /** Norms of what a block adds: "after": instead of those of its input; "both": besides them. */
  normPlacement: z.enum(["after", "both"]).optional(),
  /** Activation of a feed-forward block: GELU, or its approximation by tanh. */
  activation: z.enum(["gelu", "gelu-tanh"]).optional(),
  /** A feed-forward block without a gate: down(activation(up(x))). */
  gated: z.literal(false).optional(),
  /** Attention and the feed-forward block read the same residual stream, and both are added to it. */
  parallel: z.literal(true).optional(),
};
