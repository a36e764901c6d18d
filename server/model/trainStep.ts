import { add, keep, mul, type Scalar, type Tensor, valueAndGrads } from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../protocol/model.ts";
import type { TrainingConfig } from "../protocol/stage.ts";
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

/** AdamW's moments, zero before the first step: names and shapes. */
export function momentShapes(config: ModelConfig): Shapes {
  const shapes = parameterShapes(config);
  return new Map([...renamed(shapes, firstMomentName), ...renamed(shapes, secondMomentName)]);
}

/** Accumulated gradients: names and shapes. They live only from one update to the next. */
export const gradientShapes = (config: ModelConfig): Shapes => renamed(parameterShapes(config), gradientName);

type OptimizerConfig = Pick<TrainingConfig, "beta1" | "beta2" | "clip">;

interface Gradients {
  gradients: Tensors;
  /** `loss`, `loadBalance` where there is one, `routedTokens` and `gateMass` of a Mixture-of-Experts. */
  results: Tensors;
}

/** Gradients of the total loss of one batch in every parameter, and what is reported of it. */
function differentiate(state: Tensors, batch: Tensors, config: ModelConfig, domains: number): Gradients {
  const names = [...parameterShapes(config).keys()];
  const results: Tensors = {};
  const report = ({ loss, loadBalance, routing }: Losses) => {
    const reported = { loss, ...(loadBalance ? { loadBalance } : {}), ...routing };
    for (const [name, tensor] of Object.entries(reported)) results[name] = keep(tensor);
  };
  const total = (...parameters: Tensor[]): Scalar => {
    const params = Object.fromEntries(names.map((name, i) => [name, parameters[i]!]));
    const all = losses(params, batch, config, domains);
    report(all);
    return all.total;
  };
  const { grads } = valueAndGrads(total)(names.map((name) => named(state, name)));
  return { gradients: Object.fromEntries(names.map((name, i) => [name, grads[i]!])), results };
}

/** One AdamW step of every parameter; gradients count `share` times each, then their global norm is clipped. */
function update(
  state: Tensors,
  batch: Tensors,
  gradients: Tensors,
  { beta1, beta2, clip }: OptimizerConfig,
  share?: Tensor,
): { state: Tensors; results: Tensors } {
  const unscaled = globalNorm(Object.values(gradients));
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
 * A whole optimizer step on one batch: loss, gradients, clipping and update.
 *
 * State: parameters and `momentShapes`. Batch: a `sequenceBatch` and the numbers of `adamWInputs`.
 * Results: `loss` (nats a token), `gradientNorm` before clipping and, for a Mixture-of-Experts, `loadBalance` (scaled;
 * absent with coefficient 0), `routedTokens` and `gateMass` [Lmoe, Domains, E].
 */
export function trainStep(config: ModelConfig, training: OptimizerConfig, domains: number): Program {
  return (state, batch) => {
    const { gradients, results } = differentiate(state, batch, config, domains);
    const updated = update(state, batch, gradients, training);
    return { state: updated.state, results: { ...results, ...updated.results } };
  };
}

/**
 * The gradients of one micro-batch, added to those before it in `gradientShapes`; the first of a step replaces them.
 *
 * State: parameters and `gradientShapes`. Batch: a `sequenceBatch`. Results: as `trainStep`, of this micro-batch, without
 * `gradientNorm`. The routers' load balancing is that of each micro-batch.
 */
export function accumulate(config: ModelConfig, domains: number, { first }: { first: boolean }): Program {
  return (state, batch) => {
    const { gradients, results } = differentiate(state, batch, config, domains);
    const sums = Object.entries(gradients).map(([name, gradient]) => {
      const sum = gradientName(name);
      return [sum, first ? gradient : add(named(state, sum), gradient)];
    });
    return { state: Object.fromEntries(sums), results };
  };
}

/**
 * Clips and applies accumulated gradients. State: parameters, `momentShapes`, `gradientShapes` (read only). Batch: the
 * numbers of `adamWInputs` and `share` [], one over the number of micro-batches. Results: `gradientNorm`.
 */
export function applyGradients(config: ModelConfig, training: OptimizerConfig): Program {
  const names = [...parameterShapes(config).keys()];
  return (state, batch) => {
    const gradients = Object.fromEntries(names.map((name) => [name, named(state, gradientName(name))]));
    return update(state, batch, gradients, training, named(batch, "share"));
  };
}
