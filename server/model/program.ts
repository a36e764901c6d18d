import type { Tensor } from "@tensorflow/tfjs-core";

export type Tensors = Record<string, Tensor>;

/**
 * What an engine runs: named state and a batch in, the changed state and named results out. Static shapes, no value
 * read back. Named results may be kept tensors: whoever runs a program eagerly disposes of what it returns.
 */
export type Program = (state: Tensors, batch: Tensors) => { state: Tensors; results: Tensors };

/** The tensor of that name; throws where a program was not given it. */
export function named(tensors: Tensors, name: string): Tensor {
  const tensor = tensors[name];
  if (!tensor) throw new Error(`the program was not given "${name}"`);
  return tensor;
}
