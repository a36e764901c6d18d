import { concat, matMul, mul, reshape, type Tensor, tile } from "@tensorflow/tfjs-core";
import { oneHot } from "../ops/oneHot.ts";
import type { Routing } from "../routers/router.ts";
import type { Tensors } from "./program.ts";

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
 * Where the tokens of each domain went, each token counted by its weight:
 * `routedTokens` [Lmoe, Domains, E], tokens the expert was among the K chosen for; `gateMass` [Lmoe, Domains, E], sum of
 * the expert's gates; and, where an expert can be full, `droppedTokens` [Lmoe, Domains, E], tokens that chose it in vain.
 * `domain` [B] int32 is the domain of each sequence. Nothing for a dense model.
 */
export function routingStatistics(routings: Routing[], domain: Tensor, weights: Tensor, domains: number): Tensors {
  if (routings.length === 0) return {};
  const tokens = tokensByDomain(domain, weights, domains);
  const ofDomains = (x: Tensor) => matMul(tokens, x, true);
  const dropped = routings.flatMap((routing) => (routing.dropped ? [ofDomains(routing.dropped)] : []));
  return {
    routedTokens: byLayer(routings.map(({ chosen }) => ofDomains(chosen))),
    gateMass: byLayer(routings.map(({ gateOfExpert }) => ofDomains(gateOfExpert))),
    ...(dropped.length > 0 ? { droppedTokens: byLayer(dropped) } : {}),
  };
}
