import { add, div, matMul, reshape, type Scalar, sum, type Tensor } from "@tensorflow/tfjs-core";
import { crossEntropy } from "../ops/crossEntropy.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { named, type Program, type Tensors } from "./program.ts";
import { routingStatistics } from "./routingStatistics.ts";
import { logits } from "./transformer.ts";

/** Names, shapes and types of a batch's tensors. */
export type BatchSpecs = Record<string, { shape: number[]; dtype: "float32" | "int32" }>;

/**
 * What training and evaluation read: `tokens` and `targets` [B, T] int32, `weights` [B, T] (0 where a target does not
 * count, 1 where it does) and, for a Mixture-of-Experts, `domain` [B] int32, the domain of each sequence.
 */
export function sequenceBatch(config: ModelConfig, batch: number, time = config.context): BatchSpecs {
  const specs: BatchSpecs = {
    tokens: { shape: [batch, time], dtype: "int32" },
    targets: { shape: [batch, time], dtype: "int32" },
    weights: { shape: [batch, time], dtype: "float32" },
  };
  if (config.moe) specs.domain = { shape: [batch], dtype: "int32" };
  return specs;
}

export interface Losses {
  /** What is minimised: `loss` plus `loadBalance`. */
  total: Scalar;
  /** Mean negative log-likelihood over the batch's targets, by weight, nats a token. BTX §3.3 adds the router's term to it. */
  loss: Scalar;
  /** Negative log-likelihood of every target, nats [N]. */
  nll: Tensor;
  /** The routers' auxiliary losses, summed over layers, scaled; absent where there are none. */
  loadBalance?: Scalar;
  /** `routedTokens` and `gateMass` [Lmoe, Domains, E] of a Mixture-of-Experts. */
  routing: Tensors;
}

/** Losses and routing statistics of a `sequenceBatch`; its weights must not all be 0. */
export function losses(params: Tensors, batch: Tensors, config: ModelConfig, domains: number): Losses {
  const tokens = named(batch, "tokens");
  const weights = reshape(named(batch, "weights"), [tokens.size, 1]);
  const forward = logits(params, tokens, config, weights);
  const nll = crossEntropy(forward.logits, reshape(named(batch, "targets"), [tokens.size]));
  const summed = matMul(reshape(nll, [1, tokens.size]), weights);
  const loss = div(reshape(summed, []), sum(weights)) as Scalar;
  const routing = config.moe ? routingStatistics(forward.routings, named(batch, "domain"), weights, domains) : {};
  const loadBalance = forward.auxiliaryLoss;
  if (!loadBalance) return { total: loss, loss, nll, routing };
  return { total: add(loss, loadBalance), loss, nll, loadBalance, routing };
}

/**
 * Evaluation: state is the parameters, batch a `sequenceBatch`; results are `nll` [B, T], nats, and the routing
 * statistics of a Mixture-of-Experts.
 */
export function evaluation(config: ModelConfig, domains: number): Program {
  return (state, batch) => {
    const { nll, routing } = losses(state, batch, config, domains);
    return { state: {}, results: { nll: reshape(nll, named(batch, "tokens").shape), ...routing } };
  };
}
