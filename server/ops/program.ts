import type { Tensor } from "@tensorflow/tfjs-core";

/** Tensors of TF.js by name. */
export type Tensors = Record<string, Tensor>;

/**
 * What an engine runs, a plain function on TF.js tensors: named state and a batch in, the changed state and named results
 * out. It must be traceable: static shapes, no value read back, no control flow that depends on a value. Named results may
 * be kept tensors: whoever runs a program eagerly disposes of what it returns.
 */
export type Program = (state: Tensors, batch: Tensors) => { state: Tensors; results: Tensors };

/** A program with its name, which a printed graph shows. */
export const program = (name: string, run: Program): Program => Object.defineProperty(run, "name", { value: name });

/** The tensor of that name. @throws where the program was not given it */
export function named(tensors: Tensors, name: string): Tensor {
  const tensor = tensors[name];
  if (!tensor) throw new Error(`the program was not given "${name}"`);
  return tensor;
}

/** What is known of a tensor before a program runs. */
export interface TensorSpec {
  shape: number[];
  dtype: "float32" | "int32";
}
export type TensorSpecs = Record<string, TensorSpec>;

/** The elements of a tensor on the host, row-major. */
export type Values = Float32Array | Int32Array;

/** How many elements a tensor of that shape has. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
