import type { Engine } from "../../engine/engine.ts";
import type { Store } from "../../engine/store.ts";
import type { TensorSpecs, Values } from "../../ops/program.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { TrainingConfig } from "../../protocol/stage.ts";
import type { LossScale } from "./lossScale.ts";
import type { StepBatch } from "./stepBatch.ts";
import type { StepResult } from "./stepResult.ts";

/** One phase of training, as its optimizer steps see it. */
export interface PhaseJob {
  config: ModelConfig;
  training: TrainingConfig;
  /** Number of domains. */
  domains: number;
  engine: Engine;
  /** Steps of the phase. */
  steps: number;
  /** Steps before the phase whose moments it goes on with. */
  momentSteps?: number;
  /** Seed of the phase's random numbers. */
  randomSeed: number;
  /** Of a phase in float16, which its steps change. */
  lossScale?: LossScale | undefined;
}

/** Runs a step's programs on its sequences; `inputs` are the step's numbers, for all micro-batches. */
export interface StepPrograms {
  run(batch: StepBatch, inputs: Record<string, Values>): Promise<StepResult>;
  dispose(): Promise<void>;
}

/** Compiles what computes the steps of a phase, on the parameters and moments of `store`. */
export type MakePrograms = (store: Store, job: PhaseJob) => Promise<StepPrograms>;

/** Numbers [] that a program is given in every step. */
export const scalarSpecs = (...names: string[]): TensorSpecs =>
  Object.fromEntries(names.map((name) => [name, { shape: [], dtype: "float32" }]));

export const scalar = (value: number): Float32Array => Float32Array.of(value);
