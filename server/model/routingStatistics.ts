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
import { histogramBins } from "../protocol/routingStatistics.ts";
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

/**
 * Where the tokens of each domain went, each token counted by its weight; L Mixture-of-Experts layers:
 * - `routedTokens` [L, Domains, E], tokens the expert was among the K chosen for; `gateMass` [L, Domains, E], sum of the
 *   expert's gates; `probability` [L, Domains, E], sum of the router's softmax over all experts; and, where an expert can be
 *   full, `droppedTokens` [L, Domains, E], tokens that chose it in vain;
 * - `tokens` [L, Domains], their number; `entropy` [L, Domains], sum of the entropy of that softmax, nats;
 * - `coActivation` [L, E, E], tokens that went to both experts; `transitions` [L - 1, E, E], how often a choice of one is
 *   followed by a choice of the other in the next of these layers; the latter with two layers or more;
 * - with `histogram` also `histogram` [L, Domains, E, bins], tokens by the probability of the expert.
 *
 * `domain` [B] int32 is the domain of each sequence. Nothing for a dense model.
 */
export function routingStatistics(
  routings: LayerRouting[],
  domain: Tensor,
  weights: Tensor,
  domains: number,
  histogram = false,
): Tensors {
  if (routings.length === 0) return {};
  const tokens = tokensByDomain(domain, weights, domains);
  const ofDomains = (x: Tensor) => matMul(tokens, x, true);
  const dropped = routings.flatMap((routing) => (routing.dropped ? [ofDomains(routing.dropped)] : []));
  const softmaxes = routings.map(({ logits }) => untaped(() => softmax(logits)));
  const counted = routings.map(({ chosen }) => mul(chosen, weights));
  const pairs = (one: LayerRouting, other: number) => matMul(one.chosen, counted[other]!, true);
  return {
    routedTokens: byLayer(routings.map(({ chosen }) => ofDomains(chosen))),
    gateMass: byLayer(routings.map(({ gateOfExpert }) => ofDomains(gateOfExpert))),
    probability: byLayer(softmaxes.map(ofDomains)),
    ...(dropped.length > 0 ? { droppedTokens: byLayer(dropped) } : {}),
    tokens: byLayer(routings.map(() => sum(tokens, 0))),
    entropy: byLayer(
      routings.map(({ logits }, layer) => reshape(ofDomains(entropy(logits, softmaxes[layer]!)), [domains])),
    ),
    coActivation: byLayer(routings.map((routing, layer) => pairs(routing, layer))),
    ...(routings.length > 1
      ? { transitions: byLayer(routings.slice(0, -1).map((routing, layer) => pairs(routing, layer + 1))) }
      : {}),
    ...(histogram ? { histogram: byLayer(softmaxes.map((x) => histogramOf(x, tokens))) } : {}),
  };
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
