import { add, keep, mul, type Scalar, type Tensor, valueAndGrads } from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../protocol/model.ts";
import type { FrozenGroup, TrainingConfig } from "../protocol/stage.ts";
import { trainedShapes } from "./groups.ts";
import { type Losses, losses } from "./loss.ts";
import { adamW, clipFactor, globalNorm } from "./optimizer.ts";
import { decays, parameterShapes } from "./parameters.ts";
import { named, type Program, type Tensors } from "./program.ts";

export const firstMomentName = (parameter: string): string => `adam.m.${parameter}`;
export const secondMomentName = (parameter: string): string => `adam.v.${parameter}`;
export const gradientName = (parameter: string): string => `gradient.${parameter}`;

type Shapes = Map<string, number[]>;

const renamed = (shapes: Shapes, rename: (name: string) => string): Shapes =>
  new Map([...shapes].map(([name, shape]) => [rename(name), shape]));

/** AdamW's moments of the trained parameters, zero before the first step: names and shapes. */
export function momentShapes(config: ModelConfig, freeze?: readonly FrozenGroup[]): Shapes {
  const shapes = trainedShapes(config, freeze);
  return new Map([...renamed(shapes, firstMomentName), ...renamed(shapes, secondMomentName)]);
}

/** Accumulated gradients of the trained parameters: names and shapes. They live only from one update to the next. */
export const gradientShapes = (config: ModelConfig, freeze?: readonly FrozenGroup[]): Shapes =>
  renamed(trainedShapes(config, freeze), gradientName);

type GradientConfig = Pick<TrainingConfig, "freeze" | "recompute" | "precision">;
type OptimizerConfig = GradientConfig & Pick<TrainingConfig, "beta1" | "beta2" | "clip">;

interface Gradients {
  gradients: Tensors;
  /** `loss`, `loadBalance` where there is one, and the routing statistics of a Mixture-of-Experts. */
  results: Tensors;
}

/**
 * Gradients of the total loss of one batch in every trained parameter, and what is reported of it. The others are
 * constants here, so nothing is computed for their gradients. In float16 they are those of the loss times the batch's
 * `lossScale`: Micikevicius et al., arXiv 1710.03740, §3.2.
 */
function differentiate(
  state: Tensors,
  batch: Tensors,
  config: ModelConfig,
  domains: number,
  { freeze, ...computing }: GradientConfig,
): Gradients {
  const names = [...trainedShapes(config, freeze).keys()];
  const constant = [...parameterShapes(config).keys()].filter((name) => !names.includes(name));
  const constants = Object.fromEntries(constant.map((name) => [name, named(state, name)]));
  const results: Tensors = {};
  const report = ({ loss, loadBalance, routing }: Losses) => {
    const reported = { loss, ...(loadBalance ? { loadBalance } : {}), ...routing };
    for (const [name, tensor] of Object.entries(reported)) results[name] = keep(tensor);
  };
  const total = (...parameters: Tensor[]): Scalar => {
    const trained = Object.fromEntries(names.map((name, i) => [name, parameters[i]!]));
    const all = losses({ ...constants, ...trained }, batch, config, domains, computing);
    report(all);
    return computing.precision ? mul(all.total, named(batch, "lossScale")) : all.total;
  };
  const { grads } = valueAndGrads(total)(names.map((name) => named(state, name)));
  return { gradients: Object.fromEntries(names.map((name, i) => [name, grads[i]!])), results };
}

/** One AdamW step of all that has a gradient; gradients count `share` times each, then their global norm is clipped. */
function update(
  state: Tensors,
  batch: Tensors,
  gradients: Tensors,
  { beta1, beta2, clip }: OptimizerConfig,
  share?: Tensor,
): { state: Tensors; results: Tensors } {
  // The last parameters' gradients come first on the way back; added up in this order, what they were made of is free soon.
  const unscaled = globalNorm(Object.values(gradients).toReversed());
  const norm = share ? (mul(unscaled, share) as Scalar) : unscaled;
  const clipping = clip > 0 ? clipFactor(norm, clip) : undefined;
  const scale = clipping && share ? mul(clipping, share) : (clipping ?? share);
  const [stepSize, epsilon, decay] = [named(batch, "stepSize"), named(batch, "epsilon"), named(batch, "decay")];
  const changed: Tensors = {};
  for (const [name, gradient] of Object.entries(gradients)) {
    const [m, v] = [firstMomentName(name), secondMomentName(name)];
    const next = adamW(
      gradient,
      { param: named(state, name), m: named(state, m), v: named(state, v) },
      { beta1, beta2, stepSize, epsilon, ...(decays(name) ? { decay } : {}), ...(scale ? { scale } : {}) },
    );
    changed[name] = next.param;
    changed[m] = next.m;
    changed[v] = next.v;
  }
  return { state: changed, results: { gradientNorm: norm } };
}

/**
 * A whole optimizer step on one batch, in float32: loss, gradients, clipping and update of the trained parameters.
 *
 * State: parameters and `momentShapes`. Batch: a `sequenceBatch` for training and the numbers of `adamWInputs`.
 * Results: `loss` (nats a token), `gradientNorm` of the trained parameters before clipping and, for a
 * Mixture-of-Experts, `loadBalance` (scaled; absent with coefficient 0) and the routing statistics, each
 * [Lmoe, Domains, E].
 */
export function trainStep(config: ModelConfig, training: Omit<OptimizerConfig, "precision">, domains: number): Program {
  return (state, batch) => {
    const { gradients, results } = differentiate(state, batch, config, domains, training);
    const updated = update(state, batch, gradients, training);
    return { state: updated.state, results: { ...results, ...updated.results } };
  };
}

/**
 * The gradients of one micro-batch, added to those before it in `gradientShapes`; the first of a step replaces them.
 *
 * State: parameters and `gradientShapes`. Batch: a `sequenceBatch` for training. Results: as `trainStep`, of this
 * micro-batch, without `gradientNorm`. The routers' load balancing is that of each micro-batch, or of the whole batch
 * where the batch brings its means. In float16 the batch has `lossScale` [] too, by which the gradients are multiplied.
 */
export function accumulate(
  config: ModelConfig,
  domains: number,
  { first, ...training }: GradientConfig & { first: boolean },
): Program {
  return (state, batch) => {
    const { gradients, results } = differentiate(state, batch, config, domains, training);
    const sums = Object.entries(gradients).map(([name, gradient]) => {
      const sum = gradientName(name);
      return [sum, first ? gradient : add(named(state, sum), gradient)];
    });
    return { state: Object.fromEntries(sums), results };
  };
}

/**
 * The global norm of accumulated gradients, which is not finite where one of them is not. State: `gradientShapes` (read only).
 * Batch: `share` as in `applyGradients`. Results: `gradientNorm`.
 */
export function gradientNorm(config: ModelConfig, training: Pick<TrainingConfig, "freeze">): Program {
  const names = [...gradientShapes(config, training.freeze).keys()];
  return (state, batch) => {
    const norm = globalNorm(names.map((name) => named(state, name)));
    return { state: {}, results: { gradientNorm: mul(norm, named(batch, "share")) } };
  };
}

/**
 * Clips and applies accumulated gradients. State: parameters, `momentShapes`, `gradientShapes` (read only). Batch: the
 * numbers of `adamWInputs` and `share` [], one over the number of micro-batches times the loss scale. Results: `gradientNorm`.
 */
export function applyGradients(config: ModelConfig, training: OptimizerConfig): Program {
  const names = [...trainedShapes(config, training.freeze).keys()];
  return (state, batch) => {
    const gradients = Object.fromEntries(names.map((name) => [name, named(state, gradientName(name))]));
    return update(state, batch, gradients, training, named(batch, "share"));
  };
}
