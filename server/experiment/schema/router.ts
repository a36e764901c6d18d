import * as z from "zod";
import { defined } from "../../protocol/defined.ts";
import type { RouterConfig, RouterType } from "../../protocol/model.ts";
import { notes } from "./notes.ts";

/** Defaults. That of `k` depends on the experts, and without `evaluationCapacity` there is no limit. */
export const routerDefaults = {
  type: "top-k",
  k: 2,
  softmax: "after",
  capacity: 1.5,
  temperatureRate: 4,
  minTemperature: 0.5,
  loadBalance: 0.01,
  balance: "btx",
  biasRate: 1e-3,
  balanceOver: "micro-batch",
  zLoss: 0,
  init: "random",
  initTokens: 4096,
} as const;

interface RouterEntry {
  /** What the router does, for the reference. */
  does: string;
  /** The keys that it alone has, or shares with some others. */
  keys: Record<string, z.ZodType>;
  /** Which experts a token goes to: the highest-scoring ones, all of them, or a sampled one. */
  chooses: "largest" | "all" | "drawn";
}

/**
 * The routers that an experiment can use. To add one, write its configuration in protocol/model.ts, and here its entry,
 * its defaults and its case in `routerConfig`. The compiler asks for the entry and the case; validation, messages, JSON
 * schema and reference page follow from the entry.
 */
export const routers = {
  "top-k": {
    does: "each token goes to the k experts with the largest logits",
    chooses: "largest",
    keys: {
      k: z
        .int()
        .min(1)
        .optional()
        .meta(
          notes({
            description: "For `top-k`: experts per token (K).",
            paper: "2",
            defaultText: "2, multiplied by `mix.split` if that is given, but at most the number of experts",
          }),
        ),
      softmax: z
        .enum(["after", "before"])
        .optional()
        .meta(
          notes({
            description:
              "For `top-k`: how gates are computed. `after`: a softmax over the k selected logits, so that gates add up to 1. `before`: the k selected values of a softmax over all logits.",
            paper: "after",
            default: routerDefaults.softmax,
          }),
        ),
    },
  },
  switch: {
    does: "each token goes to one expert, its gate is that expert's probability in a softmax over all experts, and a full expert drops tokens (Switch Transformer)",
    chooses: "largest",
    keys: {
      capacity: z
        .number()
        .positive()
        .optional()
        .meta(
          notes({
            description:
              "For `switch`: the most tokens of a micro-batch that an expert accepts, as a multiple of its even share. Later tokens are dropped: they skip the expert and continue on the residual stream.",
            unit: "multiple of an even share",
            paper: "1.5",
            default: routerDefaults.capacity,
          }),
        ),
      evaluationCapacity: z
        .number()
        .positive()
        .optional()
        .meta(
          notes({
            description:
              "For `switch`: the same for evaluation, where `evaluate.batch` sequences are processed at once.",
            unit: "multiple of an even share",
            defaultText: "none: no token is dropped outside training",
          }),
        ),
    },
  },
  soft: { does: "each token goes to all experts, weighted by a softmax", chooses: "all", keys: {} },
  "sample-top-1": {
    does: "each token goes to one expert, sampled with Gumbel noise at a temperature that falls during training; the first MoE layer is soft",
    chooses: "drawn",
    keys: {
      temperatureRate: z
        .number()
        .positive()
        .optional()
        .meta(
          notes({
            description:
              "For `sample-top-1`: the rate r at which the temperature max(`minTemperature`, exp(-r t)) falls, where t runs from 0 to 1 over the steps of a phase.",
            paper: "4: 1e-4 per step over 40,000 steps (160B tokens, 4M per step)",
            default: routerDefaults.temperatureRate,
          }),
        ),
      minTemperature: z
        .number()
        .positive()
        .optional()
        .meta(
          notes({
            description: "For `sample-top-1`: the lowest temperature.",
            paper: "0.5",
            default: routerDefaults.minTemperature,
          }),
        ),
    },
  },
} satisfies Record<RouterType, RouterEntry>;

export const routerTypes = Object.keys(routers) as [RouterType, ...RouterType[]];

/** The types of router that have a key; undefined for a key that all of them have. */
export function typesWith(key: string): RouterType[] | undefined {
  const types = routerTypes.filter((type) => Object.hasOwn(routers[type].keys, key));
  return types.length > 0 ? types : undefined;
}

const listOf = (types: readonly RouterType[]) => types.map((type) => `\`${type}\`: ${routers[type].does}.`).join(" ");

/** How the load of experts is balanced; for all types of router. */
const balancing = {
  loadBalance: z
    .number()
    .min(0)
    .optional()
    .meta(
      notes({
        description:
          "Coefficient of the load-balancing loss, per layer, for `balance: btx` and `balance: switch`; 0 turns it off. BTX §3.3.",
        paper: "0.01",
        default: routerDefaults.loadBalance,
      }),
    ),
  balance: z
    .enum(["btx", "switch", "bias", "none"])
    .optional()
    .meta(
      notes({
        description:
          "How experts are kept equally busy. `btx`: a loss, the experts' mean gates times their mean probabilities. `switch`: the Switch Transformer's loss, shares of tokens times mean probabilities (arXiv 2101.03961). `bias`: no loss, but one bias per expert, which moves against the expert's load and affects only which experts are chosen (arXiv 2408.15664); for `top-k` and `switch`. `none`: experts are not balanced.",
        paper: "btx",
        default: routerDefaults.balance,
      }),
    ),
  biasRate: z
    .number()
    .positive()
    .optional()
    .meta(
      notes({ description: "For `balance: bias`: how far a bias moves per step.", default: routerDefaults.biasRate }),
    ),
  balanceOver: z
    .enum(["micro-batch", "batch"])
    .optional()
    .meta(
      notes({
        description:
          "The tokens over which the load-balancing loss averages: those of each micro-batch, or those of the whole batch, which costs one more forward pass if a batch has several micro-batches.",
        default: routerDefaults.balanceOver,
      }),
    ),
  zLoss: z
    .number()
    .min(0)
    .optional()
    .meta(
      notes({
        description:
          "Coefficient of the router z-loss, the mean square of the logits' log-sum-exp, per layer (arXiv 2202.08906); 0 turns it off.",
        default: routerDefaults.zLoss,
      }),
    ),
};

/** How the routers' weights start. */
const start = {
  init: z
    .enum(["random", "domains", "hidden"])
    .optional()
    .meta(
      notes({
        description:
          "The routers' weights, one row per expert, before finetuning. `random`: random numbers. `domains`: the mean embedding of each expert's domain. `hidden`: in each layer, the mean hidden state that enters the router on text of each expert's domain.",
        default: routerDefaults.init,
      }),
    ),
  initTokens: z
    .int()
    .min(1)
    .optional()
    .meta(
      notes({
        description: "For `init: domains` and `init: hidden`: number of tokens per domain that are averaged.",
        unit: "tokens",
        default: routerDefaults.initTokens,
      }),
    ),
};

type AllOf<Union> = (Union extends unknown ? (keys: Union) => void : never) extends (keys: infer Keys) => void
  ? Keys
  : never;

const keysOfRouters = Object.assign({}, ...routerTypes.map((type) => routers[type].keys)) as AllOf<
  (typeof routers)[RouterType]["keys"]
>;

export const routerSchema = z
  .strictObject({
    type: z
      .enum(routerTypes)
      .optional()
      .meta(notes({ description: listOf(routerTypes), paper: "top-k", default: routerDefaults.type })),
    ...keysOfRouters,
    ...balancing,
    ...start,
  })
  .prefault({})
  .meta(
    notes({
      description:
        "The router of each MoE layer, which decides which experts a token goes to. BTX §3.3 and §4.3.1, table 4.",
    }),
  );

/** A router's keys as they stand in the file; an absent key has its default. */
export type RouterKeys = z.output<typeof routerSchema>;

type Balancing = Omit<Extract<RouterConfig, { type: "soft" }>, "type">;

/**
 * Keys that have no effect are left out, so that equal routers have equal configurations: a loss with coefficient 0,
 * and what a loss that is not used would average over.
 */
function balancingOf(given: RouterKeys): Balancing {
  const { balance, biasRate, balanceOver, zLoss, loadBalance: alpha } = { ...routerDefaults, ...defined(given) };
  const z = zLoss > 0 ? { zLoss } : {};
  if (balance === "bias") return { loadBalance: 0, balance, biasRate, ...z };
  const loadBalance = balance === "none" ? 0 : alpha;
  if (loadBalance === 0) return { loadBalance, ...z };
  return {
    loadBalance,
    ...(balance === "switch" ? { balance } : {}),
    ...(balanceOver === "batch" ? { balanceOver } : {}),
    ...z,
  };
}

/**
 * The configuration of a file's router. A key of the file that is absent has its default; a key of the configuration
 * that is absent has the plainest meaning, whatever the file's default: no `balance` is BTX's loss, and the file's
 * `balance: none` is `loadBalance: 0`. So equal routers have equal configurations, and stages equal keys.
 * @param experts number of experts, after splitting.
 * @param split number of parts that each model is split into; 1 for no split.
 */
export function routerConfig(given: RouterKeys, experts: number, split: number): RouterConfig {
  const { type, softmax, capacity, temperatureRate, minTemperature } = { ...routerDefaults, ...defined(given) };
  const balanced = balancingOf(given);
  switch (type) {
    case "top-k": {
      const k = given.k ?? Math.min(routerDefaults.k * split, experts);
      return { type, k, ...(softmax === "before" ? { softmax } : {}), ...balanced };
    }
    case "switch": {
      const { evaluationCapacity } = given;
      return { type, capacity, ...(evaluationCapacity === undefined ? {} : { evaluationCapacity }), ...balanced };
    }
    case "soft":
      return { type, ...balanced };
    case "sample-top-1":
      return { type, temperatureRate, minTemperature, ...balanced };
  }
}
