import * as z from "zod";
import { defined } from "../../protocol/defined.ts";
import type { RouterConfig, RouterType } from "../../protocol/model.ts";
import { notes } from "./notes.ts";

/** What applies where an experiment says nothing. `k` depends on the experts, `evaluationCapacity` is no limit. */
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
  /** Which experts a token goes to: those of largest score, all of them, or one that is drawn. */
  chooses: "largest" | "all" | "drawn";
}

/**
 * The routers that an experiment can ask for. To add one: its configuration in protocol/model.ts; then here its entry,
 * its defaults and its case in `routerConfig`. The compiler asks for the entry and the case; validation, messages, JSON
 * schema and reference page follow from the entry.
 */
export const routers = {
  "top-k": {
    does: "each token goes to the k experts of largest logit",
    chooses: "largest",
    keys: {
      k: z
        .int()
        .min(1)
        .optional()
        .meta(
          notes({
            description: "For `top-k`: experts a token (K).",
            paper: "2",
            defaultText: "2, times `mix.split` if that is given, but at most the number of experts",
          }),
        ),
      softmax: z
        .enum(["after", "before"])
        .optional()
        .meta(
          notes({
            description:
              "For `top-k`: gates are a softmax over the k kept logits (`after` selection), so that they add up to 1, or the k values of a softmax over all (`before` it).",
            paper: "after",
            default: routerDefaults.softmax,
          }),
        ),
    },
  },
  switch: {
    does: "each token goes to one expert, its gate is the softmax over all experts, and a full expert drops tokens (Switch Transformer)",
    chooses: "largest",
    keys: {
      capacity: z
        .number()
        .positive()
        .optional()
        .meta(
          notes({
            description:
              "For `switch`: tokens of a micro-batch that an expert takes at most, times its even share of them. Later ones are dropped: they pass by the expert on the residual.",
            unit: "even shares",
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
            description: "For `switch`: the same in evaluation, with `evaluate.batch` sequences at once.",
            unit: "even shares",
            defaultText: "none: no token is dropped outside training",
          }),
        ),
    },
  },
  soft: { does: "each token goes to all experts, weighted by a softmax", chooses: "all", keys: {} },
  "sample-top-1": {
    does: "each token goes to one expert drawn with Gumbel noise, at a temperature that falls in training; the first MoE layer is soft",
    chooses: "drawn",
    keys: {
      temperatureRate: z
        .number()
        .positive()
        .optional()
        .meta(
          notes({
            description:
              "For `sample-top-1`: the rate r at which the temperature max(`minTemperature`, exp(-r t)) falls, t running from 0 to 1 over the steps of a phase.",
            paper: "4: 1e-4 a step over 40,000 steps (160B tokens, 4M a step)",
            default: routerDefaults.temperatureRate,
          }),
        ),
      minTemperature: z
        .number()
        .positive()
        .optional()
        .meta(
          notes({
            description: "For `sample-top-1`: the temperature falls no further.",
            paper: "0.5",
            default: routerDefaults.minTemperature,
          }),
        ),
    },
  },
} satisfies Record<RouterType, RouterEntry>;

export const routerTypes = Object.keys(routers) as [RouterType, ...RouterType[]];

/** The types of router that have a key; undefined for keys that all have. */
export function typesWith(key: string): RouterType[] | undefined {
  const types = routerTypes.filter((type) => Object.hasOwn(routers[type].keys, key));
  return types.length > 0 ? types : undefined;
}

const listOf = (types: readonly RouterType[]) => types.map((type) => `\`${type}\`: ${routers[type].does}.`).join(" ");

/** How a router's load is balanced; for all types. */
const balancing = {
  loadBalance: z
    .number()
    .min(0)
    .optional()
    .meta(
      notes({
        description:
          "Coefficient of the load-balancing loss, per layer, for `balance` `btx` and `switch`; 0 switches it off. BTX §3.3.",
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
          "How experts are kept equally busy. `btx`: a loss, the experts' mean gates times their mean probabilities. `switch`: Switch's loss, shares of tokens times mean probabilities (arXiv 2101.03961). `bias`: no loss, but a bias an expert that moves against its load and counts for the choice alone (arXiv 2408.15664); for `top-k` and `switch`. `none`: nothing.",
        paper: "btx",
        default: routerDefaults.balance,
      }),
    ),
  biasRate: z
    .number()
    .positive()
    .optional()
    .meta(
      notes({ description: "For `balance: bias`: how far a bias moves a step.", default: routerDefaults.biasRate }),
    ),
  balanceOver: z
    .enum(["micro-batch", "batch"])
    .optional()
    .meta(
      notes({
        description:
          "The tokens whose means the load-balancing loss takes: each micro-batch's, or the whole batch's, which costs one more forward pass where a batch has several micro-batches.",
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
          "Coefficient of the router z-loss, the mean square of the logits' log-sum-exp, per layer (arXiv 2202.08906); 0 switches it off.",
        default: routerDefaults.zLoss,
      }),
    ),
};

/** Where the routers' rows come from. */
const start = {
  init: z
    .enum(["random", "domains", "hidden"])
    .optional()
    .meta(
      notes({
        description:
          "What the routers' rows are before finetuning. `random`: random numbers. `domains`: the mean embedding of each expert's domain. `hidden`: in each layer, the mean hidden state of each expert's domain before the router.",
        default: routerDefaults.init,
      }),
    ),
  initTokens: z
    .int()
    .min(1)
    .optional()
    .meta(
      notes({
        description: "For `init: domains` and `init: hidden`: tokens a domain that the means are taken of.",
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
      description: "The router of each MoE layer: which experts a token goes to. BTX §3.3 and §4.3.1, table 4.",
    }),
  );

/** A router's keys as a file gives them; absent ones have their defaults. */
export type RouterKeys = z.output<typeof routerSchema>;

type Balancing = Omit<Extract<RouterConfig, { type: "soft" }>, "type">;

/** Without what changes nothing, so that equal routers are equal: a loss without coefficient, means of no loss. */
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
 * The router that a file asks for, with its defaults.
 * @param experts number of experts, after splitting.
 * @param split parts that each model is split in; 1 for none.
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
