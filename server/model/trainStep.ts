import { add, div, keep, less, mul, type Scalar, type Tensor, valueAndGrads } from "@tensorflow/tfjs-core";
import { choose } from "../ops/choose.ts";
import { named, type Program, program, type Tensors } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { Freeze, TrainingConfig } from "../protocol/stage.ts";
import { joinable, joined, parted } from "./joined.ts";
import { auxiliaryResult, type Losses, losses } from "./loss.ts";
import { adamW, clipFactor, globalNorm } from "./optimizer.ts";
import { decayingParameters, parameterShapes, trainedShapes } from "./parameters.ts";

export const firstMomentName = (parameter: string): string => `adam.m.${parameter}`;
export const secondMomentName = (parameter: string): string => `adam.v.${parameter}`;
export const gradientName = (parameter: string): string => `gradient.${parameter}`;

type Shapes = Map<string, number[]>;

const renamed = (shapes: Shapes, rename: (name: string) => string): Shapes =>
  new Map([...shapes].map(([name, shape]) => [rename(name), shape]));

/** AdamW's moments of the trained parameters, zero before the first step: names and shapes. */
export function momentShapes(config: ModelConfig, freeze?: Freeze): Shapes {
  const shapes = trainedShapes(config, freeze);
  return new Map([...renamed(shapes, firstMomentName), ...renamed(shapes, secondMomentName)]);
}

/** Accumulated gradients of the trained parameters: names and shapes. They live only from one update to the next. */
export const gradientShapes = (config: ModelConfig, freeze?: Freeze): Shapes =>
  renamed(trainedShapes(config, freeze), gradientName);

type GradientConfig = Pick<TrainingConfig, "freeze" | "recompute" | "precision" | "routerStage">;
interface UpdateConfig extends Pick<TrainingConfig, "freeze" | "beta1" | "beta2" | "clip"> {
  /** Parameters are updated several at a time: for devices on which every operator costs a call. */
  fewCalls?: boolean;
}

interface Gradients {
  gradients: Tensors;
  /** `loss`, the auxiliary losses by `auxiliaryResult`, and the routing statistics of a Mixture-of-Experts. */
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

/** Names of gradients, in groups that are computed with as one tensor. */
function groupsOf(config: ModelConfig, shapes: Shapes, fewCalls: boolean | undefined): string[][] {
  const decaying = decayingParameters(config);
  return fewCalls ? joinable(shapes, (name) => decaying.has(name)) : [...shapes.keys()].map((name) => [name]);
}

const shapesOf = (tensors: Tensors): Shapes =>
  new Map(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));

/** The largest number of float32: what is below it is finite, and no NaN. */
const largest = 3.4028234663852886e38;

interface UpdateOptions {
  /** How often gradients count. */
  share?: Tensor;
  /** Nothing changes where the gradients' norm is not finite. */
  onlyFinite?: boolean;
}

/** One AdamW step of all that has a gradient, after clipping the gradients' global norm. */
function update(
  state: Tensors,
  batch: Tensors,
  gradients: Tensors,
  config: ModelConfig,
  { beta1, beta2, clip, fewCalls }: UpdateConfig,
  { share, onlyFinite }: UpdateOptions = {},
): { state: Tensors; results: Tensors } {
  const decaying = decayingParameters(config);
  const groups = groupsOf(config, shapesOf(gradients), fewCalls).map((names) => ({
    names,
    gradient: joined(names.map((name) => gradients[name]!)),
  }));
  // The last parameters' gradients come first on the way back; added up in this order, what they were made of is free soon.
  const unscaled = globalNorm(groups.map(({ gradient }) => gradient).toReversed());
  const norm = share ? (mul(unscaled, share) as Scalar) : unscaled;
  const clipping = clip > 0 ? clipFactor(norm, clip) : undefined;
  const scale = clipping && share ? mul(clipping, share) : (clipping ?? share);
  const finite = onlyFinite ? less(norm, largest) : undefined;
  const kept = (next: Tensor, before: Tensor) => (finite ? choose(finite, next, before) : next);
  const [stepSize, epsilon, decay] = [named(batch, "stepSize"), named(batch, "epsilon"), named(batch, "decay")];
  const changed: Tensors = {};
  for (const { names, gradient } of groups) {
    const all = (nameOf: (name: string) => string) => joined(names.map((name) => named(state, nameOf(name))));
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
    const [params, ms, vs] = (["param", "m", "v"] as const).map((of) => parted(kept(next[of], before[of]), rows));
    names.forEach((name, i) => {
      changed[name] = params![i]!;
      changed[firstMomentName(name)] = ms![i]!;
      changed[secondMomentName(name)] = vs![i]!;
    });
  }
  return { state: changed, results: { gradientNorm: norm } };
}

/**
 * A whole optimizer step on one batch: loss, gradients, clipping and update of the trained parameters. In float16 the batch
 * has `lossScale` [] too, and where the gradients' norm is not finite nothing changes.
 *
 * State: parameters and `momentShapes`. Batch: a `sequenceBatch` for training and the numbers of `adamWInputs`.
 * Results: `loss` (nats per token), `gradientNorm` of the trained parameters before clipping and, for a
 * Mixture-of-Experts, its auxiliary losses (`auxiliaryResult`, scaled) and the routing statistics.
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
 * The global norm of accumulated gradients, which is not finite where one of them is not. State: `gradientShapes` (read only).
 * Batch: `share` as in `applyGradients`. Results: `gradientNorm`.
 */
export function gradientNorm(
  config: ModelConfig,
  { freeze, fewCalls }: Pick<UpdateConfig, "freeze" | "fewCalls">,
): Program {
  const groups = groupsOf(config, trainedShapes(config, freeze), fewCalls);
  return program("gradientNorm", (state, batch) => {
    const norm = globalNorm(groups.map((names) => joined(names.map((name) => named(state, gradientName(name))))));
    return { state: {}, results: { gradientNorm: mul(norm, named(batch, "share")) } };
  });
}

/**
 * Clips and applies accumulated gradients. State: parameters, `momentShapes`, `gradientShapes` (read only). Batch: the
 * numbers of `adamWInputs` and `share` [], one over the number of micro-batches times the loss scale. Results: `gradientNorm`.
 */
export function applyGradients(config: ModelConfig, training: UpdateConfig): Program {
  const names = [...trainedShapes(config, training.freeze).keys()];
  return program("applyGradients", (state, batch) => {
    const gradients = Object.fromEntries(names.map((name) => [name, named(state, gradientName(name))]));
    return update(state, batch, gradients, config, training, { share: named(batch, "share") });
  });
}
