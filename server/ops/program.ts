import type { Tensor } from "@tensorflow/tfjs-core";

/** TF.js tensors by name. */
export type Tensors = Record<string, Tensor>;

/**
 * The unit that an engine runs: a plain function on TF.js tensors that takes named state and a batch and returns the
 * changed state and named results. It must be traceable: static shapes, no value read back, no control flow that
 * depends on a value. Results may be kept tensors, so whoever runs a program eagerly must dispose of them.
 */
export type Program = (state: Tensors, batch: Tensors) => { state: Tensors; results: Tensors };

/** Gives a program a name, which printed graphs show. */
export const program = (name: string, run: Program): Program => Object.defineProperty(run, "name", { value: name });

/** The tensor with this name. @throws Error if the program did not get it */
export function named(tensors: Tensors, name: string): Tensor {
  const tensor = tensors[name];
  if (!tensor) throw new Error(`the program was not given "${name}"`);
  return tensor;
}

/** What is known about a tensor before a program runs. */
export interface TensorSpec {
  shape: number[];
  dtype: "float32" | "int32";
}
export type TensorSpecs = Record<string, TensorSpec>;

/** A tensor's elements on the host, row-major. */
export type Values = Float32Array | Int32Array;

/** Number of elements of a tensor of this shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
