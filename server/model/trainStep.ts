import { add, div, keep, less, mul, type Scalar, type Tensor, valueAndGrads } from "@tensorflow/tfjs-core";
import { choose } from "../ops/choose.ts";
import { named, type Program, program, type Tensors } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { Freeze, TrainingConfig } from "../protocol/stage.ts";
import { joinableGroups, joinTensors, splitTensor } from "./joinTensors.ts";
import { auxiliaryResult, type Losses, losses } from "./loss.ts";
import { adamW, clipFactor, globalNorm } from "./optimizer.ts";
import { decayingParameters, parameterShapes, trainedShapes } from "./parameters.ts";

export const firstMomentName = (parameter: string): string => `adam.m.${parameter}`;
export const secondMomentName = (parameter: string): string => `adam.v.${parameter}`;
export const gradientName = (parameter: string): string => `gradient.${parameter}`;

type Shapes = Map<string, number[]>;

const renamed = (shapes: Shapes, rename: (name: string) => string): Shapes =>
  new Map([...shapes].map(([name, shape]) => [rename(name), shape]));

/** Names and shapes of AdamW's moments for the trained parameters; they are zero before the first step. */
export function momentShapes(config: ModelConfig, freeze?: Freeze): Shapes {
  const shapes = trainedShapes(config, freeze);
  return new Map([...renamed(shapes, firstMomentName), ...renamed(shapes, secondMomentName)]);
}

/** Names and shapes of the accumulated gradients of the trained parameters, which live from one update to the next. */
export const gradientShapes = (config: ModelConfig, freeze?: Freeze): Shapes =>
  renamed(trainedShapes(config, freeze), gradientName);

type GradientConfig = Pick<TrainingConfig, "freeze" | "recompute" | "precision" | "routerStage">;
interface UpdateConfig extends Pick<TrainingConfig, "freeze" | "beta1" | "beta2" | "clip"> {
  /** Updates several parameters at a time, for devices where each operator costs a call. */
  fewCalls?: boolean;
}

interface Gradients {
  gradients: Tensors;
  /** `loss`, the auxiliary losses by `auxiliaryResult`, and the routing statistics of a Mixture-of-Experts. */
  results: Tensors;
}

/**
 * Gradients of one batch's total loss with respect to every trained parameter, and the results to report. Other
 * parameters are constants, so nothing is computed for their gradients. In float16 the loss is multiplied by the
 * batch's `lossScale` before differentiation: Micikevicius et al., arXiv 1710.03740, §3.2.
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
  const report = ({ loss, auxiliary, routing }: Losses) => {
    const named = Object.entries(auxiliary).map(([name, value]) => [auxiliaryResult(name), value]);
    const reported: Tensors = { loss, ...Object.fromEntries(named), ...routing };
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

/** Groups the names of parameters whose gradients are processed as one tensor. */
function groupsOf(shapes: Shapes, decaying: ReadonlySet<string>, fewCalls: boolean | undefined): string[][] {
  return fewCalls ? joinableGroups(shapes, (name) => decaying.has(name)) : [...shapes.keys()].map((name) => [name]);
}

const shapesOf = (tensors: Tensors): Shapes =>
  new Map(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));

/** The largest float32: a norm below it is finite and not NaN. */
const largest = 3.4028234663852886e38;

interface UpdateOptions {
  /** Factor applied to the gradients; default 1. */
  share?: Tensor;
  /** Keeps the state unchanged if the gradients' norm is not finite. */
  onlyFinite?: boolean;
}

/** Clips the gradients' global norm, then makes one AdamW step for every parameter that has a gradient. */
function update(
  state: Tensors,
  batch: Tensors,
  gradients: Tensors,
  config: ModelConfig,
  { beta1, beta2, clip, fewCalls }: UpdateConfig,
  { share, onlyFinite }: UpdateOptions = {},
): { state: Tensors; results: Tensors } {
  const decaying = decayingParameters(config);
  const groups = groupsOf(shapesOf(gradients), decaying, fewCalls).map((names) => ({
    names,
    gradient: joinTensors(names.map((name) => gradients[name]!)),
  }));
  // The backward pass yields the last parameters' gradients first: summing in this order frees their inputs early.
  const unscaled = globalNorm(groups.map(({ gradient }) => gradient).toReversed());
  const norm = share ? (mul(unscaled, share) as Scalar) : unscaled;
  const clipping = clip > 0 ? clipFactor(norm, clip) : undefined;
  const scale = clipping && share ? mul(clipping, share) : (clipping ?? share);
  const finite = onlyFinite ? less(norm, largest) : undefined;
  const kept = (next: Tensor, before: Tensor) => (finite ? choose(finite, next, before) : next);
  const [stepSize, epsilon, decay] = [named(batch, "stepSize"), named(batch, "epsilon"), named(batch, "decay")];
  const changed: Tensors = {};
  for (const { names, gradient } of groups) {
    const all = (nameOf: (name: string) => string) => joinTensors(names.map((name) => named(state, nameOf(name))));
    const before = { param: all((name) => name), m: all(firstMomentName), v: all(secondMomentName) };
    const next = adamW(gradient, before, {
      beta1,
      beta2,
      stepSize,
      epsilon,
      ...(names.some((name) => decaying.has(name)) ? { decay } : {}),
      ...(scale ? { scale } : {}),
    });
    const rows = names.map((name) => gradients[name]!.shape[0]!);
    const [params, ms, vs] = (["param", "m", "v"] as const).map((of) => splitTensor(kept(next[of], before[of]), rows));
    names.forEach((name, i) => {
      changed[name] = params![i]!;
      changed[firstMomentName(name)] = ms![i]!;
      changed[secondMomentName(name)] = vs![i]!;
    });
  }
  return { state: changed, results: { gradientNorm: norm } };
}

/**
 * A whole optimizer step on one batch: loss, gradients, clipping and update of the trained parameters. In float16 the
 * batch also has `lossScale` [], and the state stays unchanged if the gradients' norm is not finite.
 *
 * State: parameters and `momentShapes`. Batch: a `sequenceBatch` for training and the scalars of `adamWInputs`.
 * Results: `loss` (nats per token), `gradientNorm` of the trained parameters before clipping and, for a
 * Mixture-of-Experts, its scaled auxiliary losses (`auxiliaryResult`) and routing statistics.
 */
export function trainStep(config: ModelConfig, training: UpdateConfig & GradientConfig, domains: number): Program {
  return program("trainStep", (state, batch) => {
    const { gradients, results } = differentiate(state, batch, config, domains, training);
    const options = training.precision ? { share: div(1, named(batch, "lossScale")), onlyFinite: true } : {};
    const updated = update(state, batch, gradients, config, training, options);
    return { state: updated.state, results: { ...results, ...updated.results } };
  });
}

/**
 * Adds one micro-batch's gradients to the accumulated ones; the first micro-batch of a step replaces them.
 *
 * State: parameters and `gradientShapes`. Batch: a `sequenceBatch` for training. Results: those of `trainStep`, for
 * this micro-batch, without `gradientNorm`. The routers balance load within each micro-batch, or over the whole batch
 * if the batch contains its means. In float16 the batch also has `lossScale` [], which multiplies the gradients.
 */
export function accumulate(
  config: ModelConfig,
  domains: number,
  { first, ...training }: GradientConfig & { first: boolean },
): Program {
  return program("accumulate", (state, batch) => {
    const { gradients, results } = differentiate(state, batch, config, domains, training);
    const sums = Object.entries(gradients).map(([name, gradient]) => {
      const sum = gradientName(name);
      return [sum, first ? gradient : add(named(state, sum), gradient)];
    });
    return { state: Object.fromEntries(sums), results };
  });
}

/**
 * The global norm of the accumulated gradients, which is finite only if all of them are. State: `gradientShapes` (read
 * only). Batch: `share` as in `applyGradients`. Results: `gradientNorm`.
 */
export function gradientNorm(
  config: ModelConfig,
  { freeze, fewCalls }: Pick<UpdateConfig, "freeze" | "fewCalls">,
): Program {
  const groups = groupsOf(trainedShapes(config, freeze), decayingParameters(config), fewCalls);
  return program("gradientNorm", (state, batch) => {
    const norm = globalNorm(groups.map((names) => joinTensors(names.map((name) => named(state, gradientName(name))))));
    return { state: {}, results: { gradientNorm: mul(norm, named(batch, "share")) } };
  });
}

/**
 * Clips and applies the accumulated gradients. State: parameters, `momentShapes`, `gradientShapes` (read only). Batch:
 * the scalars of `adamWInputs` and `share` [], 1 / (number of micro-batches * loss scale). Results: `gradientNorm`.
 */
export function applyGradients(config: ModelConfig, training: UpdateConfig): Program {
  const names = [...trainedShapes(config, training.freeze).keys()];
  return program("applyGradients", (state, batch) => {
    const gradients = Object.fromEntries(names.map((name) => [name, named(state, gradientName(name))]));
    return update(state, batch, gradients, config, training, { share: named(batch, "share") });
  });
}
