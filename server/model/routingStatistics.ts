import {
  cast,
  concat,
  exp,
  greaterEqual,
  log,
  matMul,
  max,
  mul,
  reshape,
  softmax,
  sub,
  sum,
  type Tensor,
  tile,
} from "@tensorflow/tfjs-core";
import { oneHot } from "../ops/oneHot.ts";
import type { Tensors } from "../ops/program.ts";
import { untaped } from "../ops/untaped.ts";
import {
  type CountedStatistic,
  declareStatistic,
  expertsResult,
  gatesResult,
  histogramBins,
  type StatisticDeclaration,
} from "../protocol/routingStatistics.ts";
import type { Routing } from "../routers/router.ts";
import type { LayerRouting } from "./blocks/moe/forward.ts";

/** One-hot domain of each token times the token's weight: domain [B] int32, weights [N, 1] -> [N, Domains]. */
function tokensByDomain(domain: Tensor, weights: Tensor, domains: number): Tensor {
  const batch = domain.shape[0]!;
  const time = weights.shape[0]! / batch;
  const bySequence = reshape(oneHot(domain, domains), [batch, 1, domains]);
  return mul(reshape(tile(bySequence, [1, time, 1]), [batch * time, domains]), weights);
}

const byLayer = (layers: Tensor[]): Tensor =>
  concat(
    layers.map((layer) => reshape(layer, [1, ...layer.shape])),
    0,
  );

/** The tokens that are counted. */
export interface CountedTokens {
  /** [B] int32: the domain of each sequence. */
  domain: Tensor;
  /** [N, 1]: each token's weight. */
  weights: Tensor;
  /** Number of domains. */
  domains: number;
}

/** The data that statistics are computed from; arrays have one entry per Mixture-of-Experts layer. */
export interface Counting {
  routings: LayerRouting[];
  /** [N, Domains]: each token's weight, in its domain's column. */
  tokens: Tensor;
  /** [N, E] each: the router's softmax over all experts. */
  softmaxes: Tensor[];
  /** [N, E] each: the token's weight at the experts it goes to, else 0. */
  counted: Tensor[];
}

/** Weighted sums over each domain's tokens: x [N, E] -> [Domains, E], or [N, 1] -> [Domains, 1]. */
const byDomain = ({ tokens }: Counting, x: Tensor): Tensor => matMul(tokens, x, true);
/** [E, E]: how often a token goes to one expert in this layer and to another in the layer at index `other`. */
const pairs = ({ counted }: Counting, { chosen }: LayerRouting, other: number): Tensor =>
  matMul(chosen, counted[other]!, true);

/** Counts a statistic: one tensor per layer with the axes of the table, or none if there is nothing to count. */
export type CountByLayer = (counting: Counting) => Tensor[];

/** Adds a statistic that programs count. @throws Error if there is one of that name. */
export function addStatistic(name: string, declaration: StatisticDeclaration, count: CountByLayer): void {
  declareStatistic(name, declaration);
  (countedByLayer as Record<string, CountByLayer>)[name] = count;
}

/** How each statistic is counted. */
const countedByLayer: Record<CountedStatistic, CountByLayer> = {
  routedTokens: (counting) => counting.routings.map(({ chosen }) => byDomain(counting, chosen)),
  gateMass: (counting) => counting.routings.map(({ gateOfExpert }) => byDomain(counting, gateOfExpert)),
  probability: (counting) => counting.softmaxes.map((softmax) => byDomain(counting, softmax)),
  droppedTokens: (counting) =>
    counting.routings.flatMap(({ dropped }) => (dropped ? [byDomain(counting, dropped)] : [])),
  tokens: ({ routings, tokens }) => routings.map(() => sum(tokens, 0)),
  entropy: (counting) =>
    counting.routings.map(({ logits }, layer) =>
      reshape(byDomain(counting, entropy(logits, counting.softmaxes[layer]!)), [counting.tokens.shape[1]!]),
    ),
  coActivation: (counting) => counting.routings.map((routing, layer) => pairs(counting, routing, layer)),
  transitions: (counting) =>
    counting.routings.slice(0, -1).map((routing, layer) => pairs(counting, routing, layer + 1)),
  histogram: ({ softmaxes, tokens }) => softmaxes.map((softmax) => histogramOf(softmax, tokens)),
};

/**
 * The named routing statistics (protocol/routingStatistics.ts): where the tokens of each domain went, counted by
 * weight. Statistics that a model does not have are left out: dropped tokens if experts have no capacity limit,
 * transitions if there is only one layer. Returns nothing for a dense model.
 */
export function routingStatistics(
  names: readonly CountedStatistic[],
  routings: LayerRouting[],
  { domain, weights, domains }: CountedTokens,
): Tensors {
  if (routings.length === 0) return {};
  const counting: Counting = {
    routings,
    tokens: tokensByDomain(domain, weights, domains),
    softmaxes: routings.map(({ logits }) => untaped(() => softmax(logits))),
    counted: routings.map(({ chosen }) => mul(chosen, weights)),
  };
  const statistics: Tensors = {};
  for (const name of names) {
    const layers = countedByLayer[name](counting);
    if (layers.length > 0) statistics[name] = byLayer(layers);
  }
  return statistics;
}

/** Entropy of each row's softmax, nats: logits and softmax [N, E] -> [N, 1]. */
function entropy(logits: Tensor, probabilities: Tensor): Tensor {
  return untaped(() => {
    const shifted = sub(logits, max(logits, -1, true));
    return sub(log(sum(exp(shifted), -1, true)), sum(mul(probabilities, shifted), -1, true));
  });
}

/**
 * Histogram of each expert's probability, by domain: probabilities [N, E], tokens [N, Domains] -> [Domains, E, bins].
 */
function histogramOf(probabilities: Tensor, tokens: Tensor): Tensor {
  return untaped(() => {
    const [domains, experts] = [tokens.shape[1]!, probabilities.shape[1]!];
    /** Tokens in this bin and all higher ones, [Domains, E]. */
    const from = (bin: number) =>
      matMul(tokens, cast(greaterEqual(probabilities, bin / histogramBins), "float32"), true);
    const ends = Array.from({ length: histogramBins }, (_, bin) => from(bin));
    const bins = ends.map((end, bin) => (bin + 1 < histogramBins ? sub(end, ends[bin + 1]!) : end));
    return concat(
      bins.map((bin) => reshape(bin, [domains, experts, 1])),
      2,
    );
  });
}

/**
 * What programs report for each token: experts [N, K] int32 and gates [N, K] of each layer, named by `expertsResult`
 * and `gatesResult`. K may differ between layers.
 */
export const routingResults = (routings: readonly Routing[]): Tensors =>
  Object.fromEntries(
    routings.flatMap(({ experts, gates }, position) => [
      [expertsResult(position), experts],
      [gatesResult(position), gates],
    ]),
  );
