import * as z from "zod";

/**
 * The measures of routing: what each is called, its formula and what it says, for lists, headings and help. They are worked
 * out in inspect/ (`measures.ts`, `vocabulary.ts`, `saturation.ts`, `particular.ts`).
 *
 * In formulas, all of one layer: E an expert, k the experts a token goes to, N_D the tokens of a domain, N_ED those of them
 * that chose the expert, N_E those of all domains; sums are over tokens.
 */
export interface MeasureText {
  label: string;
  formula: string;
  meaning: string;
}

/** What is measured of an expert in a layer, by domain. */
export const cellMeasureSchema = z.enum([
  "routedShare",
  "gateMass",
  "probability",
  "domainSpecialisation",
  "vocabularyInput",
  "vocabularyPredicted",
  "droppedShare",
]);
export type CellMeasure = z.infer<typeof cellMeasureSchema>;

export interface CellMeasureText extends MeasureText {
  /** The value where nothing is preferred; 0: there is none. */
  uniform(experts: number, k: number): number;
  /** Measured of held-out text only. */
  heldOutOnly?: true;
}

const equalShare = (experts: number): number => 1 / experts;
const equalChoice = (experts: number, k: number): number => k / experts;

export const cellMeasures: Record<CellMeasure, CellMeasureText> = {
  routedShare: {
    label: "Routed share",
    formula: "N_ED / (k · N_D)",
    meaning: "Of the places that a domain's tokens have to give in a layer, k each, the share that the expert got.",
    uniform: equalShare,
  },
  gateMass: {
    label: "Gate mass",
    formula: "Σ gates of E / N_D",
    meaning: "The mean weight with which the expert enters the output of a layer, 0 for tokens that did not choose it.",
    uniform: equalShare,
  },
  probability: {
    label: "Router probability",
    formula: "Σ softmax(router logits)_E / N_D",
    meaning: "The mean probability that the router gives the expert, before any expert is chosen.",
    uniform: equalShare,
  },
  domainSpecialisation: {
    label: "Domain specialisation",
    formula: "N_ED / N_D",
    meaning: "The share of a domain's tokens that chose the expert (OLMoE, arXiv 2409.02060).",
    uniform: equalChoice,
  },
  vocabularyInput: {
    label: "Vocabulary, input",
    formula: "Σ_x N_xE · (N_xE − 1) / (N_x − 1) / Σ_x N_xE",
    meaning:
      "Of the other places of the token that goes in, the share that chose the expert as well, mean over its tokens: 100 % where the token alone decides (OLMoE's vocabulary specialisation N_xE / N_x, without the place itself; x a token of the vocabulary).",
    uniform: equalChoice,
    heldOutOnly: true,
  },
  vocabularyPredicted: {
    label: "Vocabulary, predicted",
    formula: "Σ_x N_xE · (N_xE − 1) / (N_x − 1) / Σ_x N_xE",
    meaning: "The same of the token that the model predicts: x is the likeliest next one.",
    uniform: equalChoice,
    heldOutOnly: true,
  },
  droppedShare: {
    label: "Dropped tokens",
    formula: "dropped_ED / (k · N_D)",
    meaning: "The share of choices of the expert that were dropped because it was full.",
    uniform: () => 0,
  },
};

/** What is measured of a layer, of pairs of experts and of tokens. */
export const otherMeasures = {
  histogram: {
    label: "Histogram of the probability",
    formula: "N(softmax_E in a tenth of 0 to 1) / N_D",
    meaning: "How many tokens the router gave the expert so much probability.",
  },
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
  entropy: {
    label: "Entropy",
    formula: "−Σ Σ_E p_E ln p_E / N_D",
    meaning: "How undecided the router is: mean entropy of its softmax p, nats, at most ln E.",
  },
  imbalance: {
    label: "Imbalance",
    formula: "max N_E / mean N_E",
    meaning: "The largest load over the mean load; 1 where all experts get as much.",
  },
  variation: {
    label: "Variation",
    formula: "√mean (N_E − mean N_E)² / mean N_E",
    meaning: "The load's standard deviation over its mean; 0 where all experts get as much.",
  },
  saturation: {
    label: "Saturation",
    formula: "Σ |E(t) ∩ E(T)| / (k · N_D)",
    meaning: "The share of a token's experts at t that are those at T, on held-out text (OLMoE, arXiv 2409.02060).",
  },
  particular: {
    label: "Particular tokens",
    formula: "2 (n ln(s / b) + (N − n) ln((1 − s) / (1 − b)))",
    meaning:
      "Tokens with n of N choices for the expert, s = n / N, against the base b of all tokens; the least likely by chance first (Dunning 1993).",
  },
} satisfies Record<string, MeasureText>;
