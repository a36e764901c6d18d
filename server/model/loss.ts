import { add, argMax, div, matMul, reshape, type Scalar, sum, type Tensor } from "@tensorflow/tfjs-core";
import { crossEntropy } from "../ops/crossEntropy.ts";
import { named, type Program, program, type Tensors } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { countedIn } from "../protocol/routingStatistics.ts";
import type { RoutingMode } from "../routers/router.ts";
import { drawsExperts, noiseShape } from "./noise.ts";
import { routingInputs } from "./routingInputs.ts";
import { routingResults, routingStatistics } from "./routingStatistics.ts";
import { type Computing, logits } from "./transformer.ts";

/** Shapes and types of a batch's tensors, by name. */
export type BatchSpecs = Record<string, { shape: number[]; dtype: "float32" | "int32" }>;

export interface SequenceBatchOptions {
  /** For training (default) or evaluation. */
  training?: boolean;
  /** Includes the means over the whole batch that this micro-batch belongs to; see `balanceMeans`. */
  means?: boolean;
}

/**
 * The batch of training and evaluation: `tokens` and `targets` [B, T] int32, `weights` [B, T] (1 for targets that
 * count, else 0) and, for a Mixture-of-Experts, `domain` [B] int32, the domain of each sequence.
 *
 * For sampling routers also `noise` [Lmoe, B*T, E] (`gumbelNoise`) and, in training, `progress` [], the fraction of the
 * phase's steps that are done. With `means` also `meanGates` and `meanProbabilities` [Lmoe, E].
 */
export function sequenceBatch(
  config: ModelConfig,
  batch: number,
  time = config.context,
  { training = true, means = false }: SequenceBatchOptions = {},
): BatchSpecs {
  const specs: BatchSpecs = {
    tokens: { shape: [batch, time], dtype: "int32" },
    targets: { shape: [batch, time], dtype: "int32" },
    weights: { shape: [batch, time], dtype: "float32" },
  };
  if (!config.moe) return specs;
  specs.domain = { shape: [batch], dtype: "int32" };
  if (drawsExperts(config)) {
    specs.noise = { shape: noiseShape(config, batch * time), dtype: "float32" };
    if (training) specs.progress = { shape: [], dtype: "float32" };
  }
  if (means) {
    const shape = [config.moe.layers.length, config.moe.experts.length];
    specs.meanGates = { shape, dtype: "float32" };
    specs.meanProbabilities = { shape, dtype: "float32" };
  }
  return specs;
}

export interface Losses {
  /** The training objective: `loss` plus all of `auxiliary`. */
  total: Scalar;
  /**
   * Weighted mean negative log-likelihood of the batch's targets, nats per token. BTX §3.3 adds the routers' losses.
   */
  loss: Scalar;
  /** Negative log-likelihood of every target, nats [N]. */
  nll: Tensor;
  /** The routers' scaled auxiliary losses by name, such as `loadBalance` and `zLoss`, summed over layers. */
  auxiliary: Record<string, Scalar>;
  /** The `routingStatistics` of a Mixture-of-Experts; else empty. */
  routing: Tensors;
  /** In evaluation of a Mixture-of-Experts: `likeliest` [N] int32, the most likely next token, and `routingResults`. */
  byToken: Tensors;
}

export interface LossOptions extends Computing {
  /** Default: "training". */
  mode?: RoutingMode;
}

/** Name of a training step's result that holds an auxiliary loss. */
export const auxiliaryResult = (name: string): string => `auxiliary.${name}`;

/** Names and values of the auxiliary losses among a program's results. */
export const auxiliaryResults = <T>(results: Record<string, T>): [name: string, value: T][] =>
  Object.entries(results).flatMap(([name, value]): [string, T][] =>
    name.startsWith("auxiliary.") ? [[name.slice("auxiliary.".length), value]] : [],
  );

/** Losses and routing statistics of a `sequenceBatch`. Its weights must not all be 0. */
export function losses(
  params: Tensors,
  batch: Tensors,
  config: ModelConfig,
  domains: number,
  { mode = "training", ...computing }: LossOptions = {},
): Losses {
  const tokens = named(batch, "tokens");
  const weights = reshape(named(batch, "weights"), [tokens.size, 1]);
  const forward = logits(params, tokens, config, routingInputs(batch, weights, mode, computing.routerStage), computing);
  const nll = crossEntropy(forward.logits, reshape(named(batch, "targets"), [tokens.size]));
  const summed = matMul(reshape(nll, [1, tokens.size]), weights);
  const loss = div(reshape(summed, []), sum(weights)) as Scalar;
  const evaluates = mode === "evaluation";
  const statistics = evaluates ? countedIn("summary", "detail") : countedIn("training", "pairs");
  const routing = config.moe
    ? routingStatistics(statistics, forward.routings, { domain: named(batch, "domain"), weights, domains })
    : {};
  const byToken =
    config.moe && evaluates ? { likeliest: argMax(forward.logits, -1), ...routingResults(forward.routings) } : {};
  const total: Scalar = forward.auxiliaryLoss ? add(loss, forward.auxiliaryLoss) : loss;
  return { total, loss, nll, auxiliary: forward.losses, routing, byToken };
}

/**
 * Evaluation. State: parameters. Batch: a `sequenceBatch` for evaluation. Results: `nll` [B, T], nats, and for a
 * Mixture-of-Experts its routing statistics and the results of `Losses.byToken`.
 */
export function evaluation(config: ModelConfig, domains: number): Program {
  return program("evaluation", (state, batch) => {
    const { nll, routing, byToken } = losses(state, batch, config, domains, { mode: "evaluation" });
    return { state: {}, results: { nll: reshape(nll, named(batch, "tokens").shape), ...routing, ...byToken } };
  });
}
