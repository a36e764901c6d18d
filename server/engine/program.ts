import type { Tensor } from "@tensorflow/tfjs-core";

export type Tensors = Record<string, Tensor>;

/**
 * A plain function on TF.js tensors: named state and a batch in, the changed state and named results out.
 * It must be traceable: static shapes, no value read back, no control flow that depends on a value.
 */
export type Program = (state: Tensors, batch: Tensors) => { state: Tensors; results: Tensors };

export interface TensorSpec {
  shape: number[];
  dtype: "float32" | "int32";
}
export type TensorSpecs = Record<string, TensorSpec>;

export type Values = Float32Array | Int32Array;

/** A program made ready to run: batch in, results out; the state stays where it is. Results hold until the next run. */
export interface Runnable {
  run(batch: Record<string, Values>): Promise<Record<string, Values>>;
  dispose(): Promise<void>;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
