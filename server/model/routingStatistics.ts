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
import { type CountedStatistic, expertsResult, gatesResult, histogramBins } from "../protocol/routingStatistics.ts";
import type { Routing } from "../routers/router.ts";
import type { LayerRouting } from "./blocks/moe/forward.ts";

/** One-hot domain of each token, times its weight: domain [B] int32 and weights [N, 1] give [N, Domains]. */
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
  /** [N, 1]: how much a token counts. */
  weights: Tensor;
  /** Number of domains. */
  domains: number;
}

/** What statistics are made of, by layer: `tokens` [N, Domains] is a token's weight in its domain. */
export interface Counting {
  routings: LayerRouting[];
  tokens: Tensor;
  /** [N, E] each: the routers' softmax over all experts, and what was chosen, by weight. */
  softmaxes: Tensor[];
  counted: Tensor[];
}

/** [Domains, E] of x [N, E], or [Domains, 1] of [N, 1]: sums over tokens. */
const byDomain = ({ tokens }: Counting, x: Tensor): Tensor => matMul(tokens, x, true);
/** [E, E]: how often a choice of one expert goes with a choice of another in the layer at a position. */
const pairs = ({ counted }: Counting, { chosen }: LayerRouting, other: number): Tensor =>
  matMul(chosen, counted[other]!, true);

/** How each statistic is counted: its values by layer, of the axes that the table has; none where nothing is counted. */
export const countedByLayer: Record<CountedStatistic, (counting: Counting) => Tensor[]> = {
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
 * The routing statistics of these names (protocol/routingStatistics.ts): where the tokens of each domain went, each counted by
 * its weight. Left out is what a model has not: dropped tokens where no expert can be full, transitions of a single layer.
 * Nothing for a dense model.
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

/** Entropy of each row's softmax, nats: logits and softmax [N, E] give [N, 1]. */
function entropy(logits: Tensor, probabilities: Tensor): Tensor {
  return untaped(() => {
    const shifted = sub(logits, max(logits, -1, true));
    return sub(log(sum(exp(shifted), -1, true)), sum(mul(probabilities, shifted), -1, true));
  });
}

/** Tokens of each domain by an expert's probability: probabilities [N, E], tokens [N, Domains] give [Domains, E, bins]. */
function histogramOf(probabilities: Tensor, tokens: Tensor): Tensor {
  return untaped(() => {
    const [domains, experts] = [tokens.shape[1]!, probabilities.shape[1]!];
    /** Tokens from the lower end of a bin on, [Domains, E]. */
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
 * What programs report of single tokens: experts [N, K] int32 and gates [N, K] of each layer, by the names `expertsResult` and
 * `gatesResult`. K may differ by layer.
 */
export const routingResults = (routings: readonly Routing[]): Tensors =>
  Object.fromEntries(
    routings.flatMap(({ experts, gates }, position) => [
      [expertsResult(position), experts],
      [gatesResult(position), gates],
    ]),
  );
