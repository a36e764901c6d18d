import type { Engine, Runnable } from "../../engine/engine.ts";
import type { Store } from "../../engine/store.ts";
import { balanceMeans, balancesOverBatch } from "../../model/balanceMeans.ts";
import { sequenceBatch } from "../../model/loss.ts";
import { gumbelNoise } from "../../model/noise.ts";
import { adamWInputs, optimizerInputs } from "../../model/optimizer.ts";
import { parameterShapes } from "../../model/parameters.ts";
import { accumulate, applyGradients, gradientNorm, gradientShapes, trainStep } from "../../model/trainStep.ts";
import { sizeOf, type TensorSpecs, type Values } from "../../ops/program.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import { type CountedStatistic, countedIn } from "../../protocol/routingStatistics.ts";
import type { TrainingConfig } from "../../protocol/stage.ts";
import { partOf, type StepBatch, sequences } from "./batch.ts";
import type { LossScale } from "./lossScale.ts";
import { stateNames } from "./moments.ts";
import { moveRouterBiases } from "./routerBias.ts";

/** The routing statistics that a step reports, where its model has them. */
const statistics = countedIn("training", "pairs");

/** What one optimizer step reports; sums over micro-batches are done. */
export interface StepResult extends Partial<Record<CountedStatistic, Float64Array>> {
  /** Nats a token. */
  loss: number;
  loadBalance?: number;
  gradientNorm: number;
}

/** One phase of training, as its optimizer steps see it. */
export interface PhaseJob {
  config: ModelConfig;
  training: TrainingConfig;
  /** Number of domains. */
  domains: number;
  engine: Engine;
  /** Steps of the phase. */
  steps: number;
  /** Seed of the phase's random numbers. */
  randomSeed: number;
  /** Of a phase in float16, which its steps change. */
  lossScale?: LossScale | undefined;
}

export interface Optimizer {
  /** Takes optimizer step `step` of the phase, counted from 1. */
  step(batch: Omit<StepBatch, "noise">, step: number, learningRate: number): Promise<StepResult>;
  dispose(): Promise<void>;
}

/** Runs a step's programs on its sequences; `inputs` are the step's numbers, for all micro-batches. */
interface StepPrograms {
  run(batch: StepBatch, inputs: Record<string, Values>): Promise<StepResult>;
  dispose(): Promise<void>;
}

const scalarSpecs = (...names: string[]): TensorSpecs =>
  Object.fromEntries(names.map((name) => [name, { shape: [], dtype: "float32" }]));

const scalar = (value: number): Float32Array => Float32Array.of(value);

/**
 * Optimizer steps on the parameters and moments of `store`. A batch of one micro-batch is one program, gradients and
 * update together; more are accumulated, so that memory is bounded by the micro-batch. In float16 only gradients that did
 * not overflow are applied, and a step whose gradients did is computed again with a smaller loss scale.
 *
 * A step depends on its batch, its number and the phase only: routers that draw get noise of the phase's seed of random
 * numbers and the step, the same however the batch is cut.
 */
export async function optimizer(store: Store, job: PhaseJob): Promise<Optimizer> {
  const { config, training, steps, randomSeed } = job;
  const { batch, microBatch, freeze } = training;
  const needed = sequenceBatch(config, batch, config.context, { training: true });
  const programs = await (batch === microBatch ? whole(store, job) : inParts(store, job));
  return {
    async step(sequencesOfStep, step, learningRate) {
      const noise = needed.noise ? { noise: gumbelNoise(config, batch * config.context, randomSeed, step) } : {};
      const inputs: Record<string, Values> = Object.fromEntries(
        Object.entries(adamWInputs(step, learningRate, training)).map(([name, value]) => [name, scalar(value)]),
      );
      if (needed.progress) inputs.progress = scalar((step - 1) / steps);
      const result = await programs.run({ ...sequencesOfStep, ...noise }, inputs);
      await moveRouterBiases(store, config, result, freeze);
      return result;
    },
    dispose: () => programs.dispose(),
  };
}

async function whole(store: Store, { config, training, domains, engine, lossScale }: PhaseJob): Promise<StepPrograms> {
  const sequenceSpecs = sequenceBatch(config, training.batch, config.context, { training: true });
  const numbers = [...optimizerInputs, ...(lossScale ? ["lossScale"] : [])];
  const program = await engine.compile(
    trainStep(config, { ...training, fewCalls: engine.fewCalls }, domains),
    store,
    { ...sequenceSpecs, ...scalarSpecs(...numbers) },
    { state: stateNames(config, training.freeze) },
  );
  return {
    async run(batch, inputs) {
      const unscaled = { ...sequences(batch, config), ...inputs };
      for (;;) {
        const scaled: Record<string, Values> = lossScale ? { lossScale: scalar(lossScale.state.scale) } : {};
        const result = summed([await program.run({ ...unscaled, ...scaled })]);
        if (!lossScale || !isToRepeat(result, lossScale)) return result;
      }
    },
    dispose: () => program.dispose(),
  };
}

/**
 * Tells the loss scale how a step's gradients came out in float16. True where they overflowed and it was lowered: the step is
 * computed again with it.
 */
function isToRepeat({ loss, gradientNorm }: StepResult, lossScale: LossScale): boolean {
  if (Number.isFinite(gradientNorm)) lossScale.count();
  else if (Number.isFinite(loss)) return lossScale.lower();
  return false;
}

async function inParts(store: Store, job: PhaseJob): Promise<StepPrograms> {
  const { config, training, domains, engine, lossScale } = job;
  const { freeze } = training;
  const updating = { ...training, fewCalls: engine.fewCalls };
  const shapes = gradientShapes(config, freeze);
  for (const [name, shape] of shapes) store.set(name, shape, new Float32Array(sizeOf(shape)));
  const parts = training.batch / training.microBatch;

  const means = balancesOverBatch(config) ? await meansOverBatch(store, job) : undefined;
  const specs = {
    ...sequenceBatch(config, training.microBatch, config.context, { training: true, means: !!means }),
    ...(lossScale ? scalarSpecs("lossScale") : {}),
  };
  const gradients = (first: boolean): Promise<Runnable> =>
    engine.compile(accumulate(config, domains, { ...training, first }), store, specs, {
      state: [...parameterShapes(config).keys(), ...shapes.keys()],
    });
  const [first, next] = [await gradients(true), await gradients(false)];
  const apply = await engine.compile(
    applyGradients(config, updating),
    store,
    scalarSpecs(...optimizerInputs, "share"),
    {
      state: [...stateNames(config, freeze), ...shapes.keys()],
    },
  );
  const norm = lossScale
    ? await engine.compile(gradientNorm(config, updating), store, scalarSpecs("share"), { state: [...shapes.keys()] })
    : undefined;

  /** Leaves the sums of the micro-batches' gradients in the store; what each reports. */
  async function accumulated(batches: Record<string, Values>[]): Promise<Record<string, Values>[]> {
    const results: Record<string, Values>[] = [];
    for (const [part, batch] of batches.entries()) results.push(copied(await (part === 0 ? first : next).run(batch)));
    return results;
  }

  return {
    async run(batch, inputs) {
      const batches = Array.from({ length: parts }, (_, part) => ({
        ...sequences(partOf(batch, part, parts, config), config),
        ...inputs,
      }));
      const balanced = means ? await means.of(batches) : {};
      for (;;) {
        const { scale } = lossScale?.state ?? { scale: 1 };
        const scaled = { ...balanced, lossScale: scalar(scale) };
        const result = summed(await accumulated(batches.map((micro) => ({ ...micro, ...scaled }))));
        const share = scalar(1 / (parts * scale));
        if (lossScale) {
          result.gradientNorm = (await norm!.run({ share })).gradientNorm![0]!;
          if (isToRepeat(result, lossScale)) continue;
          if (!Number.isFinite(result.gradientNorm)) return result;
        }
        const { gradientNorm } = await apply.run({ ...inputs, share });
        return { ...result, gradientNorm: gradientNorm![0]! };
      }
    },
    async dispose() {
      for (const program of [first, next, apply, ...(norm ? [norm] : []), ...(means ? [means] : [])])
        await program.dispose();
      for (const name of shapes.keys()) store.delete(name);
    },
  };
}

/** A forward pass over all micro-batches, for the means over the batch that the gradients of each of them need. */
async function meansOverBatch(store: Store, { config, training, engine }: PhaseJob) {
  const specs = sequenceBatch(config, training.microBatch, config.context, { training: true });
  const program = await engine.compile(balanceMeans(config, training), store, specs, {
    state: [...parameterShapes(config).keys()],
  });
  return {
    /** `meanGates` and `meanProbabilities` [Lmoe, E] of micro-batches of equal size. */
    async of(batches: Record<string, Values>[]): Promise<Record<string, Values>> {
      const results: Record<string, Values>[] = [];
      for (const batch of batches) results.push(copied(await program.run(batch)));
      return Object.fromEntries(
        Object.keys(results[0]!).map((name) => [
          name,
          Float32Array.from(total(results, name), (sum) => sum / batches.length),
        ]),
      );
    },
    dispose: () => program.dispose(),
  };
}

/** Results hold until the program's next run; copies stay. */
const copied = (result: Record<string, Values>): Record<string, Values> =>
  Object.fromEntries(Object.entries(result).map(([name, values]) => [name, values.slice()]));

function total(results: Record<string, Values>[], name: string): Float64Array {
  const sums = new Float64Array(results[0]![name]!.length);
  for (const result of results)
    result[name]!.forEach((value, i) => {
      sums[i]! += value;
    });
  return sums;
}

/** Losses averaged over micro-batches, statistics added up. */
function summed(results: Record<string, Values>[]): StepResult {
  const first = results[0]!;
  const mean = (name: string) => results.reduce((sum, result) => sum + result[name]![0]!, 0) / results.length;
  const reported = statistics.filter((name) => first[name]);
  return {
    loss: mean("loss"),
    gradientNorm: first.gradientNorm ? first.gradientNorm[0]! : 0,
    ...(first.loadBalance ? { loadBalance: mean("loadBalance") } : {}),
    ...Object.fromEntries(reported.map((name) => [name, total(results, name)])),
  };
}
