import * as z from "zod";
import { Table } from "./table.ts";

/** How a router's load is balanced; for all types of router. */
const balancing = {
  /** Coefficient alpha of the load-balancing loss, per layer; 0 switches it off. BTX §3.3. */
  loadBalance: z.number().min(0),
  /**
   * Absent: BTX's loss, mean gates times mean probabilities. "switch": Switch's, hard shares of tokens times mean
   * probabilities (arXiv 2101.03961). "bias": no loss, a bias an expert that moves against its load (arXiv 2408.15664).
   */
  balance: z.enum(["switch", "bias"]).optional(),
  /** For "bias": how far a bias moves a step. */
  biasRate: z.number().positive().optional(),
  /** "batch": means are those of the whole batch; absent: of each micro-batch. */
  balanceOver: z.literal("batch").optional(),
  /** Coefficient of the router z-loss (arXiv 2202.08906), per layer; absent: none. */
  zLoss: z.number().positive().optional(),
};

/**
 * A router decides, per layer and token, which experts a token goes to and with which gate. BTX §3.3. A new type has its
 * configuration here, its keys in experiment/schema/router.ts and its work in routers/; the compiler asks for each.
 */
export const routerConfigSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("top-k"),
    /** Experts a token (K). */
    k: z.int().min(1),
    /** "before": gates are those of the softmax over all experts; absent: of the softmax over the K kept logits. */
    softmax: z.literal("before").optional(),
    ...balancing,
  }),
  z.strictObject({
    type: z.literal("switch"),
    /** An expert takes this many times its even share of a batch's tokens, rounded up; more are dropped. In training. */
    capacity: z.number().positive(),
    /** The same outside training; absent: no token is dropped there. */
    evaluationCapacity: z.number().positive().optional(),
    ...balancing,
  }),
  z.strictObject({ type: z.literal("soft"), ...balancing }),
  z.strictObject({
    type: z.literal("sample-top-1"),
    /** Rate r of the temperature max(minTemperature, exp(-r t)), t the share of a phase's steps that are done. */
    temperatureRate: z.number().positive(),
    minTemperature: z.number().positive(),
    ...balancing,
  }),
]);
export type RouterConfig = z.infer<typeof routerConfigSchema>;
export type RouterType = RouterConfig["type"];

/** Whether routers of a type are given how many experts a token goes to (K), so that a finished model can be asked with another K. */
export const takesK = (type: string): boolean =>
  routerConfigSchema.options.some(({ shape }) => shape.type.value === type && "k" in shape);

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

/** For what a router draws random numbers: for each token, for each sequence, or for a whole forward pass. */
export type Draws = "token" | "sequence" | "pass";

/** What every process knows of a router without running it. */
export interface RouterTraits {
  /** Experts that a token goes to at most (K), in the Mixture-of-Experts layer at `position` among those layers, from 0. */
  expertsPerToken(moe: MoeConfig, position: number): number;
  /** Whether an expert may be full, so that tokens are dropped and counted. */
  drops: boolean;
  /** Absent: it draws nothing. */
  draws?: Draws;
}

/** `addRouter` (routers/index.ts) adds to it what it adds to the tables of a router's parameters and of what it does. */
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

/** @throws Error for a type that nobody has added */
export const routerTraits = ({ type }: RouterConfig): RouterTraits => traitsOfRouters.get(type);

/** Experts that a token goes to at most (K) in the Mixture-of-Experts layer at `position` among those layers, from 0. */
export const expertsPerToken = (moe: MoeConfig, position: number): number =>
  routerTraits(moe.router).expertsPerToken(moe, position);

/** Whether the model's routers may drop tokens. */
export const dropsTokens = ({ router }: Pick<MoeConfig, "router">): boolean => routerTraits(router).drops;

/** Names of the experts that a mix gives (E of them): as the models; "code.1", ... where split; "blend.1", ... where blended. */
export function mixedExperts({
  experts,
  split,
  blend,
}: {
  experts: string[];
  split?: number | undefined;
  blend?: true | undefined;
}): string[] {
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

/** Width of the intermediate layer of one expert. */
export const expertWidth = ({ ffn, moe }: Pick<ModelConfig, "ffn" | "moe">): number => moe?.ffn ?? ffn;

/** How dense models become one Mixture-of-Experts. */
export interface Mixture {
  /** Names of the models that are mixed. */
  experts: string[];
  /** Layers whose feed-forward block becomes a Mixture-of-Experts, ascending; absent: all. */
  layers?: number[] | undefined;
  router: RouterConfig;
  split?: number | undefined;
  blend?: true | undefined;
}

/** Configuration of the model that a mix makes of models of the configuration `dense`; `split` divides their `ffn`. */
export function mixedConfig(dense: ModelConfig, mixture: Mixture): ModelConfig {
  const { layers = Array.from({ length: dense.layers }, (_, layer) => layer), router, split = 1 } = mixture;
  const width = split === 1 ? {} : { ffn: dense.ffn / split };
  return { ...dense, moe: { experts: mixedExperts(mixture), layers, router, ...width } };
}
