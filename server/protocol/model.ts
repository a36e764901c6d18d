import { z } from "zod";

/** A router decides, per layer and token, which experts a token goes to and with which gate. BTX §3.3. */
export const routerConfigSchema = z.strictObject({
  type: z.literal("top-k"),
  /** Experts a token (K). */
  k: z.int().min(1),
  /** Coefficient alpha of the paper's load-balancing term; 0 switches it off. BTX §3.3. */
  loadBalance: z.number().min(0),
});
export type RouterConfig = z.infer<typeof routerConfigSchema>;

export const moeConfigSchema = z.strictObject({
  /** Names of the experts, in the order of their weights (E of them). */
  experts: z.array(z.string()).min(1),
  /** Layers whose feed-forward block is a Mixture-of-Experts, ascending. */
  layers: z.array(z.int().min(0)),
  router: routerConfigSchema,
});
export type MoeConfig = z.infer<typeof moeConfigSchema>;

/** Everything that determines the names and shapes of a model's parameters. */
export const modelConfigSchema = z.strictObject({
  vocab: z.int().min(1),
  /** Longest sequence, in tokens (T). */
  context: z.int().min(1),
  layers: z.int().min(1),
  hidden: z.int().min(1),
  heads: z.int().min(1),
  kvHeads: z.int().min(1),
  /** Width of one attention head; even, because rotary embeddings turn pairs. */
  headSize: z.int().min(2),
  ffn: z.int().min(1),
  ropeTheta: z.number().positive(),
  normEps: z.number().positive(),
  tiedEmbeddings: z.boolean(),
  attentionBias: z.boolean(),
  ffnBias: z.boolean(),
  /** Absent: every feed-forward layer is dense. */
  moe: moeConfigSchema.optional(),
});
export type ModelConfig = z.infer<typeof modelConfigSchema>;
