import { sizeOf, type TensorSpecs, type Values } from "../../engine/program.ts";
import { compile } from "../../engine/runtime/compile.ts";
import type { Store } from "../../engine/runtime/store.ts";
import { sequenceBatch } from "../../model/loss.ts";
import { adamWInputs, optimizerInputs } from "../../model/optimizer.ts";
import { parameterShapes } from "../../model/parameters.ts";
import { accumulate, applyGradients, gradientShapes, momentShapes, trainStep } from "../../model/trainStep.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { TrainingConfig } from "../../protocol/stage.ts";
import { inputsAndTargets } from "../sequences.ts";

/** What one optimizer step reports; sums over layers and micro-batches are done. */
export interface StepResult {
  /** Nats a token. */
  loss: number;
  loadBalance?: number;
  gradientNorm: number;
  /** [Lmoe, Domains, E]; absent for dense models. */
  routedTokens?: Float64Array;
  gateMass?: Float64Array;
}

/** Sequences of one optimizer step. */
export interface StepBatch {
  /** [B, T + 1] */
  tokens: Int32Array;
  /** [B]: the index of each sequence's domain. */
  domain: Int32Array;
}

export interface Optimizer {
  /** Takes optimizer step `step`, counted from 1. */
  step(batch: StepBatch, step: number, learningRate: number): Promise<StepResult>;
  dispose(): Promise<void>;
}

const scalars: TensorSpecs = Object.fromEntries(optimizerInputs.map((name) => [name, { shape: [], dtype: "float32" }]));

/** Names of the store's tensors a checkpoint of unfinished training must hold: parameters and moments. */
export const trainedNames = (config: ModelConfig): string[] => [
  ...parameterShapes(config).keys(),
  ...momentShapes(config).keys(),
];

/** Adds AdamW's moments, zero, to a store of parameters; replaces those of a phase before. */
export function freshMoments(store: Store, config: ModelConfig): void {
  for (const [name, shape] of momentShapes(config)) store.set(name, shape, new Float32Array(sizeOf(shape)));
}

/**
 * Optimizer steps on the parameters and moments of `store`. A batch of one micro-batch is one program, gradients and
 * update together; more are accumulated, so that memory is bounded by the micro-batch.
 */
export async function optimizer(
  store: Store,
  config: ModelConfig,
  training: TrainingConfig,
  domains: number,
  threads: number,
): Promise<Optimizer> {
  return training.batch === training.microBatch
    ? whole(store, config, training, domains, threads)
    : inParts(store, config, training, domains, threads);
}

async function whole(
  store: Store,
  config: ModelConfig,
  training: TrainingConfig,
  domains: number,
  threads: number,
): Promise<Optimizer> {
  const specs = { ...sequenceBatch(config, training.batch), ...scalars };
  const program = await compile(trainStep(config, training, domains), store, specs, {
    threads,
    state: trainedNames(config),
  });
  return {
    async step(batch, step, learningRate) {
      const inputs = { ...sequences(batch, config), ...numbers(step, learningRate, training) };
      return summed([await program.run(inputs)]);
    },
    dispose: () => program.dispose(),
  };
}

async function inParts(
  store: Store,
  config: ModelConfig,
  training: TrainingConfig,
  domains: number,
  threads: number,
): Promise<Optimizer> {
  for (const [name, shape] of gradientShapes(config)) store.set(name, shape, new Float32Array(sizeOf(shape)));
  const names = { parameters: [...parameterShapes(config).keys()], gradients: [...gradientShapes(config).keys()] };
  const state = [...names.parameters, ...names.gradients];
  const specs = sequenceBatch(config, training.microBatch);
  const first = await compile(accumulate(config, domains, { first: true }), store, specs, { threads, state });
  const next = await compile(accumulate(config, domains, { first: false }), store, specs, { threads, state });
  const share: TensorSpecs = { share: { shape: [], dtype: "float32" } };
  const apply = await compile(
    applyGradients(config, training),
    store,
    { ...scalars, ...share },
    {
      threads,
      state: [...trainedNames(config), ...names.gradients],
    },
  );
  const parts = training.batch / training.microBatch;
  return {
    async step(batch, step, learningRate) {
      const results: Record<string, Values>[] = [];
      for (let part = 0; part < parts; part++) {
        const inputs = sequences(rowsOf(batch, part, training.microBatch, config.context + 1), config);
        const result = await (part === 0 ? first : next).run(inputs);
        // Results hold until the program's next run.
        results.push(Object.fromEntries(Object.entries(result).map(([name, values]) => [name, values.slice()])));
      }
      const { gradientNorm } = await apply.run({
        ...numbers(step, learningRate, training),
        share: Float32Array.of(1 / parts),
      });
      return { ...summed(results), gradientNorm: gradientNorm![0]! };
    },
    async dispose() {
      for (const program of [first, next, apply]) await program.dispose();
      for (const name of names.gradients) store.delete(name);
    },
  };
}

/** Rows `part * rows` to `(part + 1) * rows` of a batch. */
const rowsOf = ({ tokens, domain }: StepBatch, part: number, rows: number, width: number): StepBatch => ({
  tokens: tokens.subarray(part * rows * width, (part + 1) * rows * width),
  domain: domain.subarray(part * rows, (part + 1) * rows),
});

/** A step's sequences as the program's batch; every target counts. */
function sequences({ tokens, domain }: StepBatch, config: ModelConfig): Record<string, Values> {
  const rows = domain.length;
  const weights = new Float32Array(rows * config.context).fill(1);
  return { ...inputsAndTargets(tokens, rows, config.context), weights, ...(config.moe ? { domain } : {}) };
}

const numbers = (step: number, learningRate: number, training: TrainingConfig): Record<string, Values> =>
  Object.fromEntries(
    Object.entries(adamWInputs(step, learningRate, training)).map(([name, value]) => [name, Float32Array.of(value)]),
  );

/** Losses averaged over micro-batches, statistics added up. */
function summed(results: Record<string, Values>[]): StepResult {
  const mean = (name: string) => results.reduce((sum, result) => sum + result[name]![0]!, 0) / results.length;
  const total = (name: string) => {
    const sums = new Float64Array(results[0]![name]!.length);
    for (const result of results)
      result[name]!.forEach((value, i) => {
        sums[i]! += value;
      });
    return sums;
  };
  const [first] = results;
  return {
    loss: mean("loss"),
    gradientNorm: first!.gradientNorm ? first!.gradientNorm[0]! : 0,
    ...(first!.loadBalance ? { loadBalance: mean("loadBalance") } : {}),
    ...(first!.routedTokens ? { routedTokens: total("routedTokens"), gateMass: total("gateMass") } : {}),
  };
}
