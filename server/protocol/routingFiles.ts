import * as z from "zod";
import { histogramBins } from "./routingStatistics.ts";

/** Routing as it lies in the run folder: float32 records, the JSON files that say how to read them, and the evaluation's sums. */

/** What is counted at evaluation, [layer][expert][domain]; layers as in the model's moe.layers. */
export const routingSummarySchema = z.strictObject({
  layers: z.array(z.int()),
  experts: z.array(z.string()),
  domains: z.array(z.string()),
  /** Tokens the expert was among the K chosen for. */
  routedTokens: z.array(z.array(z.array(z.number()))),
  /** Sum of the expert's gates over tokens. */
  gateMass: z.array(z.array(z.array(z.number()))),
  /** Tokens that chose the expert and were dropped because it was full; absent where routers have no capacity. */
  droppedTokens: z.array(z.array(z.array(z.number()))).optional(),
  /** Sum over tokens of the router's softmax over all experts, before any is chosen. */
  probability: z.array(z.array(z.array(z.number()))).optional(),
  /** Sum over tokens of the entropy of that softmax, nats, [layer][domain]. */
  entropy: z.array(z.array(z.number())).optional(),
  /** Vocabulary specialisation (measures.ts) by the token that goes in and by the likeliest next one, of all domains last. */
  vocabulary: z
    .strictObject({ input: z.array(z.array(z.array(z.number()))), predicted: z.array(z.array(z.array(z.number()))) })
    .optional(),
  /** Tokens seen, by domain. */
  tokens: z.array(z.number()),
});
export type RoutingSummary = z.infer<typeof routingSummarySchema>;

/** `routing.json`: how to read `routing.f32`, fixed-size float32 records, one a snapshot. */
export const routingIndexSchema = z.strictObject({
  version: z.literal(1),
  /** Axes of one record, slowest first: statistic, layer, domain, expert. */
  statistics: z.array(z.string()),
  layers: z.array(z.int()),
  domains: z.array(z.string()),
  experts: z.array(z.string()),
  /**
   * Names of what follows the statistics in a record, [layer, domain] each: `tokens`, their number, and `entropy`, the sum over
   * tokens of the entropy of the router's softmax, nats. Absent in older files: nothing follows.
   */
  layerStatistics: z.array(z.string()).optional(),
  /**
   * Optimizer steps between snapshots; record i covers steps i*every+1 to (i+1)*every, the last one of a finished stage
   * those up to its last step.
   */
  every: z.int(),
});
export type RoutingIndex = z.infer<typeof routingIndexSchema>;

/**
 * `routing-pairs.json`: how to read `routing-pairs.f32`. A record is `coActivation` [layer, expert, expert], tokens that went
 * to both experts (the diagonal: to it at all), then `transitions` [layer - 1, expert, expert], how often a choice of one
 * expert is followed by a choice of the other in the next Mixture-of-Experts layer. Its last record is as that of `routing.f32`.
 */
export const routingPairsIndexSchema = z.strictObject({
  version: z.literal(1),
  statistics: z.array(z.string()),
  layers: z.array(z.int()),
  experts: z.array(z.string()),
  /** Optimizer steps a record; a multiple of those of `routing.json`. */
  every: z.int(),
});
export type RoutingPairsIndex = z.infer<typeof routingPairsIndexSchema>;

/**
 * `routing-probe.json`: how to read `routing-probe.f32`: the experts that the same held-out tokens choose, before training,
 * then after every so many steps and after the last one. A record is, of each domain, [layer, token, k]: places among
 * `experts`, the largest gate first, -1 for none.
 */
export const routingProbeIndexSchema = z.strictObject({
  version: z.literal(1),
  layers: z.array(z.int()),
  experts: z.array(z.string()),
  domains: z.array(z.string()),
  /** Tokens of each domain. */
  tokens: z.array(z.int()),
  k: z.int(),
  /** Optimizer steps from one to the next. */
  every: z.int(),
});
export type RoutingProbeIndex = z.infer<typeof routingProbeIndexSchema>;

/** Values of one record of `routing-probe.f32`. */
export const probeSize = ({ layers, tokens, k }: Pick<RoutingProbeIndex, "layers" | "tokens" | "k">): number =>
  layers.length * k * tokens.reduce((sum, count) => sum + count, 0);

/**
 * `routing-probe-detail.json`: how to read `routing-probe-detail.f32`: what is measured of the tokens of `routing-probe.f32`,
 * before training, then after every so many steps and after the last one. A record is `histogram` [domain, layer, expert, bin],
 * tokens by the probability of the expert, then the vocabulary specialisation (measures.ts) by the token that goes in and by
 * the likeliest next one, [layer, domain and all, expert] each.
 */
export const routingProbeDetailIndexSchema = z.strictObject({
  version: z.literal(1),
  statistics: z.array(z.string()),
  layers: z.array(z.int()),
  experts: z.array(z.string()),
  domains: z.array(z.string()),
  /** Optimizer steps from one to the next; a multiple of those at which tokens are probed. */
  every: z.int(),
});
export type RoutingProbeDetailIndex = z.infer<typeof routingProbeDetailIndexSchema>;

type DetailAxes = Pick<RoutingProbeDetailIndex, "layers" | "experts" | "domains">;

/** Values of the histograms and of one vocabulary specialisation in a record of `routing-probe-detail.f32`. */
export const probeHistogramSize = ({ layers, experts, domains }: DetailAxes): number =>
  domains.length * layers.length * experts.length * histogramBins;
export const probeVocabularySize = ({ layers, experts, domains }: DetailAxes): number =>
  layers.length * (domains.length + 1) * experts.length;

/** Values of one record of `routing-probe-detail.f32`. */
export const probeDetailSize = (axes: DetailAxes): number => probeHistogramSize(axes) + 2 * probeVocabularySize(axes);

/**
 * `routing-detail.json`: how to read `routing-detail.f32` of an evaluation, one record a domain: `coActivation` and
 * `transitions` as in `routing-pairs.f32`, then `histogram` [layer, expert, bin], tokens by the probability of the expert.
 */
export const routingDetailIndexSchema = z.strictObject({
  version: z.literal(1),
  statistics: z.array(z.string()),
  layers: z.array(z.int()),
  experts: z.array(z.string()),
  domains: z.array(z.string()),
});
export type RoutingDetailIndex = z.infer<typeof routingDetailIndexSchema>;
