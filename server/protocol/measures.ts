import * as z from "zod";
import { type RoutingStatistic, routingStatistics } from "./routingStatistics.ts";

/**
 * The measures of routing: the statistic (routingStatistics.ts) that each is computed from, its label, its formula and
 * what it means, for lists, headings, exports and help. The arithmetic is in routing/ (`measures.ts`, `saturation.ts`,
 * `vocabularySpecialisation.ts`) and inspect/ (`particularTokens.ts`).
 *
 * In formulas, all of one layer: E an expert, k the experts that a token goes to (their mean where tokens go to
 * different numbers), N_D the tokens of a domain, N_ED those of them that chose the expert, N_E those of all domains;
 * sums are over tokens.
 */
export interface MeasureText {
  label: string;
  formula: string;
  meaning: string;
}

/**
 * What a sum over tokens is divided by: the number of tokens, or of the choices that they made, dropped ones included.
 */
type Divisor = "tokens" | "choices";

/** A measure of an expert in a layer, by domain. */
export interface CellMeasureText extends MeasureText {
  of: RoutingStatistic;
  /** Absent if the statistic is itself a share. */
  over?: Divisor;
  /** The value that means no preference; 0 if there is no such value. */
  uniform(experts: number, k: number): number;
  /** Whether it is not recorded for training tokens. */
  heldOutOnly: boolean;
}

const equalShare = (experts: number): number => 1 / experts;
const equalChoice = (experts: number, k: number): number => k / experts;

/** A table of measures by name; where a statistic is recorded shows which measures need held-out text. */
const cellTable = <M extends string>(
  table: Record<M, Omit<CellMeasureText, "heldOutOnly">>,
): Record<M, CellMeasureText> => {
  const isHeldOutOnly = ({ of }: { of: RoutingStatistic }): boolean =>
    !(routingStatistics[of].records as readonly string[]).includes("training");
  const entries = Object.entries<Omit<CellMeasureText, "heldOutOnly">>(table);
  return Object.fromEntries(
    entries.map(([name, measure]) => [name, { ...measure, heldOutOnly: isHeldOutOnly(measure) }]),
  ) as Record<M, CellMeasureText>;
};

export const cellMeasures = cellTable({
  routedShare: {
    of: "routedTokens",
    over: "choices",
    label: "Routed share",
    formula: "N_ED / (k · N_D)",
    meaning: "Of the choices of a domain's tokens in a layer, k per token, the share that went to the expert.",
    uniform: equalShare,
  },
  gateMass: {
    of: "gateMass",
    over: "tokens",
    label: "Gate mass",
    formula: "Σ gates of E / N_D",
    meaning: "The mean weight with which the expert enters the output of a layer, 0 for tokens that did not choose it.",
    uniform: equalShare,
  },
  probability: {
    of: "probability",
    over: "tokens",
    label: "Router probability",
    formula: "Σ softmax(router logits)_E / N_D",
    meaning: "The mean probability that the router gives the expert, before any expert is chosen.",
    uniform: equalShare,
  },
  domainSpecialisation: {
    of: "routedTokens",
    over: "tokens",
    label: "Domain specialisation",
    formula: "N_ED / N_D",
    meaning: "The share of a domain's tokens that chose the expert (OLMoE, arXiv 2409.02060).",
    uniform: equalChoice,
  },
  vocabularyInput: {
    of: "vocabularyInput",
    label: "Vocabulary, input",
    formula: "Σ_x N_xE · (N_xE − 1) / (N_x − 1) / Σ_x N_xE",
    meaning:
      "Of the other occurrences of the input token, the share that chose the expert too, mean over the expert's tokens: 100 % if the token alone decides (OLMoE's vocabulary specialisation N_xE / N_x, without the occurrence itself; x is a token of the vocabulary).",
    uniform: equalChoice,
  },
  vocabularyPredicted: {
    of: "vocabularyPredicted",
    label: "Vocabulary, predicted",
    formula: "Σ_x N_xE · (N_xE − 1) / (N_x − 1) / Σ_x N_xE",
    meaning: "The same for the predicted token: x is the most likely next token.",
    uniform: equalChoice,
  },
  droppedShare: {
    of: "droppedTokens",
    over: "choices",
    label: "Dropped tokens",
    formula: "dropped_ED / (k · N_D)",
    meaning: "The share of choices of the expert that were dropped because it was full.",
    uniform: () => 0,
  },
});
export type CellMeasure = keyof typeof cellMeasures;
export const cellMeasureNames = Object.keys(cellMeasures) as [CellMeasure, ...CellMeasure[]];
export const cellMeasureSchema = z.enum(cellMeasureNames);

/** Measures of pairs of experts, by the statistic that is divided. */
export const pairMeasures = {
  coActivation: {
    label: "Chosen together",
    formula: "N_ab / N_a",
    meaning: "Of the tokens that chose expert a, the share that chose b too, for all pairs (OLMoE's co-activation).",
  },
  transitions: {
    label: "From layer to layer",
    formula: "T_ab / Σ_b T_ab",
    meaning: "Of the choices in the next layer of tokens that chose a, the share that are b.",
  },
} satisfies Partial<Record<RoutingStatistic, MeasureText>>;
export type PairMeasure = keyof typeof pairMeasures;
export const pairMeasureSchema = z.enum(Object.keys(pairMeasures) as [PairMeasure, ...PairMeasure[]]);

/** A measure of a layer, by domain. */
export interface LayerMeasureText extends MeasureText {
  /** The statistic whose mean over tokens it is; absent if it describes how the layer's load is spread. */
  of?: RoutingStatistic;
  unit?: string;
  /** Digits after the decimal point. */
  digits: number;
  /** Its largest value, if it has one. */
  most?(experts: number): number;
}

const layerTable = <M extends string>(table: Record<M, LayerMeasureText>): Record<M, LayerMeasureText> => table;

export const layerMeasures = layerTable({
  entropy: {
    of: "entropy",
    label: "Entropy",
    formula: "−Σ Σ_E p_E ln p_E / N_D",
    meaning: "How undecided the router is: mean entropy of its softmax p, nats, at most ln E.",
    unit: "nats",
    digits: 3,
    most: (experts) => Math.log(experts),
  },
  imbalance: {
    label: "Imbalance",
    formula: "max N_E / mean N_E",
    meaning: "The largest load over the mean load; 1 if all experts get the same load.",
    digits: 2,
  },
  variation: {
    label: "Variation",
    formula: "√mean (N_E − mean N_E)² / mean N_E",
    meaning: "The load's standard deviation over its mean; 0 if all experts get the same load.",
    digits: 2,
  },
});
export type LayerMeasure = keyof typeof layerMeasures;
export const layerMeasureNames = Object.keys(layerMeasures) as [LayerMeasure, ...LayerMeasure[]];
/** The recorded measures of each layer [L]. */
export const layerRowSchema = z.partialRecord(z.enum(layerMeasureNames), z.array(z.number()));
export type LayerRow = z.infer<typeof layerRowSchema>;

/** The measures that do not describe a single expert in a layer. */
export const otherMeasures = {
  histogram: {
    label: "Histogram of the probability",
    formula: "N(softmax_E in a tenth of 0 to 1) / N_D",
    meaning: "The share of tokens to which the router assigned this probability for the expert.",
  },
  ...pairMeasures,
  ...layerMeasures,
  saturation: {
    label: "Saturation",
    formula: "Σ |E(t) ∩ E(T)| / (k · N_D)",
    meaning:
      "The share of a token's experts at t that are also chosen at T, on held-out text (OLMoE, arXiv 2409.02060).",
  },
  particular: {
    label: "Particular tokens",
    formula: "2 (n ln(s / b) + (N − n) ln((1 − s) / (1 − b)))",
    meaning:
      "Tokens with n of N choices for the expert, s = n / N, against the base b of all tokens; the least likely by chance first (Dunning 1993).",
  },
} satisfies Record<string, MeasureText>;
