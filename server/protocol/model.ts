import * as z from "zod";
import { architectureShape } from "./architecture.ts";
import { Table } from "./table.ts";

/** Load-balancing options of all types of router. */
const balancing = {
  /** Coefficient alpha of the load-balancing loss, per layer; 0 disables it. BTX §3.3. */
  loadBalance: z.number().min(0),
  /**
   * Absent: BTX's loss, mean gates times mean probabilities. "switch": Switch's loss, hard shares of tokens times mean
   * probabilities (arXiv 2101.03961). "bias": no loss, but a bias per expert that moves against its load (arXiv
   * 2408.15664).
   */
  balance: z.enum(["switch", "bias"]).optional(),
  /** For "bias": change of a bias per step. */
  biasRate: z.number().positive().optional(),
  /** "batch": means over the whole batch; absent: over each micro-batch. */
  balanceOver: z.literal("batch").optional(),
  /** Coefficient of the router z-loss (arXiv 2202.08906), per layer; absent: none. */
  zLoss: z.number().positive().optional(),
};

/**
 * A router decides, per layer and token, which experts a token goes to and with which gates. BTX §3.3. A new type needs
 * its configuration here, its keys in experiment/schema/router.ts and its implementation in routers/; the compiler
 * reports what is missing.
 */
export const routerConfigSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("top-k"),
    /** Experts per token (K). */
    k: z.int().min(1),
    /** "before": gates come from the softmax over all experts; absent: from the softmax over the K kept logits. */
    softmax: z.literal("before").optional(),
    ...balancing,
  }),
  z.strictObject({
    type: z.literal("switch"),
    /** Capacity of an expert in training: this many times an even share of the batch's tokens, rounded up. */
    capacity: z.number().positive(),
    /** The same in evaluation; absent: no capacity limit, so no tokens are dropped. */
    evaluationCapacity: z.number().positive().optional(),
    ...balancing,
  }),
  z.strictObject({ type: z.literal("soft"), ...balancing }),
  z.strictObject({
    type: z.literal("sample-top-1"),
    /** Rate r of the temperature max(minTemperature, exp(-r t)), where t is the fraction of the phase's steps done. */
    temperatureRate: z.number().positive(),
    minTemperature: z.number().positive(),
    ...balancing,
  }),
]);
export type RouterConfig = z.infer<typeof routerConfigSchema>;
export type RouterType = RouterConfig["type"];

/** Whether routers of a type have a configurable K, so that a finished model can be inspected with another K. */
export const takesK = (type: string): boolean =>
  routerConfigSchema.options.some(({ shape }) => shape.type.value === type && "k" in shape);

/** The same router with another K; undefined if it has no configurable K. */
export const withK = (router: RouterConfig, k: number): RouterConfig | undefined =>
  "k" in router ? { ...router, k } : undefined;

export const moeConfigSchema = z.strictObject({
  /** Names of the experts, in the order of their weights (E of them). */
  experts: z.array(z.string()).min(1),
  /** Layers whose feed-forward block is a Mixture-of-Experts, ascending. */
  layers: z.array(z.int().min(0)),
  router: routerConfigSchema,
  /** Width of one expert; absent: `ffn`. */
  ffn: z.int().min(1).optional(),
});
export type MoeConfig = z.infer<typeof moeConfigSchema>;

/** The unit that a router draws random numbers for: each token, each sequence, or a whole forward pass. */
export type Draws = "token" | "sequence" | "pass";

/** Properties of a router that are known in every process, without running it. */
export interface RouterTraits {
  /** Maximum number of experts per token (K) in the MoE layer at `position` among those layers, from 0. */
  expertsPerToken(moe: MoeConfig, position: number): number;
  /** Whether experts may be full, so that tokens are dropped and counted. */
  drops: boolean;
  /** What the router draws random numbers for; absent: it does not sample. */
  draws?: Draws;
}

/** The traits of each type. `addRouter` (routers/index.ts) extends this table along with those in routers/. */
export const traitsOfRouters = new Table<RouterTraits>("router", {
  "top-k": { expertsPerToken: ({ router }) => ("k" in router ? router.k : 1), drops: false },
  switch: { expertsPerToken: () => 1, drops: true },
  soft: { expertsPerToken: ({ experts }) => experts.length, drops: false },
  "sample-top-1": {
    expertsPerToken: ({ experts }, position) => (position === 0 ? experts.length : 1),
    drops: false,
    draws: "token",
  },
} satisfies Record<RouterType, RouterTraits>);

/** @throws Error if no router of this type was added */
export const routerTraits = ({ type }: RouterConfig): RouterTraits => traitsOfRouters.get(type);

/** Maximum number of experts per token (K) in the MoE layer at `position` among those layers, from 0. */
export const expertsPerToken = (moe: MoeConfig, position: number): number =>
  routerTraits(moe.router).expertsPerToken(moe, position);

/** Whether a model's routers may drop tokens. */
export const dropsTokens = ({ router }: Pick<MoeConfig, "router">): boolean => routerTraits(router).drops;

/** Names of a mix's E experts: the models' names, "code.1", ... if split, or "blend.1", ... if blended. */
export function mixedExperts({ experts, split, blend }: Pick<Mixture, "experts" | "split" | "blend">): string[] {
  if (blend) return experts.map((_, i) => `blend.${i + 1}`);
  if (split === undefined) return experts;
  return experts.flatMap((model) => Array.from({ length: split }, (_, part) => `${model}.${part + 1}`));
}

/** Everything that determines the names and shapes of a model's parameters. */
export const modelConfigSchema = z.strictObject({
  vocab: z.int().min(1),
  /** Longest sequence, in tokens (T). */
  context: z.int().min(1),
  layers: z.int().min(1),
  hidden: z.int().min(1),
  heads: z.int().min(1),
  kvHeads: z.int().min(1),
  /** Width of one attention head; even where rotary embeddings rotate pairs of elements. */
  headSize: z.int().min(2),
  ffn: z.int().min(1),
  ropeTheta: z.number().positive(),
  normEps: z.number().positive(),
  tiedEmbeddings: z.boolean(),
  attentionBias: z.boolean(),
  ffnBias: z.boolean(),
  ...architectureShape,
  /** Absent: every feed-forward layer is dense. */
  moe: moeConfigSchema.optional(),
});
export type ModelConfig = z.infer<typeof modelConfigSchema>;

/** Width of one expert's intermediate layer. */
export const expertWidth = ({ ffn, moe }: Pick<ModelConfig, "ffn" | "moe">): number => moe?.ffn ?? ffn;

/** How dense models are combined into one Mixture-of-Experts. */
export interface Mixture {
  /** Names of the models to mix. */
  experts: string[];
  /** Layers whose feed-forward block becomes a Mixture-of-Experts, ascending; absent: all. */
  layers?: number[] | undefined;
  router: RouterConfig;
  split?: number | undefined;
  blend?: true | undefined;
}

/** Configuration of the model mixed from models with the configuration `dense`; `split` divides their `ffn`. */
export function mixedConfig(dense: ModelConfig, mixture: Mixture): ModelConfig {
  const { layers = Array.from({ length: dense.layers }, (_, layer) => layer), router, split = 1 } = mixture;
  const width = split === 1 ? {} : { ffn: dense.ffn / split };
  return { ...dense, moe: { experts: mixedExperts(mixture), layers, router, ...width } };
}
