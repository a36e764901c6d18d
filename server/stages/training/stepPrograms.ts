import type { Engine } from "../../engine/engine.ts";
import type { Store } from "../../engine/store.ts";
import type { TensorSpecs, Values } from "../../ops/program.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { TrainingConfig } from "../../protocol/stage.ts";
import type { LossScale } from "./lossScale.ts";
import type { StepBatch } from "./stepBatch.ts";
import type { StepResult } from "./stepResult.ts";

/** What optimizer steps need to know about their phase. */
export interface PhaseJob {
  config: ModelConfig;
  training: TrainingConfig;
  /** Number of domains. */
  domains: number;
  engine: Engine;
  /** Steps of the phase. */
  steps: number;
  /** Earlier steps whose moments the phase continues with; default 0. */
  momentSteps?: number;
  /** The phase's random seed. */
  randomSeed: number;
  /** Loss scale of a float16 phase, updated by its steps. */
  lossScale?: LossScale | undefined;
}

/** Runs a step's programs on its sequences; `inputs` are the step's scalars, for all micro-batches. */
export interface StepPrograms {
  run(batch: StepBatch, inputs: Record<string, Values>): Promise<StepResult>;
  dispose(): Promise<void>;
}

/** Compiles the programs that compute a phase's steps on the parameters and moments in `store`. */
export type MakePrograms = (store: Store, job: PhaseJob) => Promise<StepPrograms>;

/** Specs of scalars [] that a program reads in every step. */
export const scalarSpecs = (...names: string[]): TensorSpecs =>
  Object.fromEntries(names.map((name) => [name, { shape: [], dtype: "float32" }]));

export const scalar = (value: number): Float32Array => Float32Array.of(value);
