/** The graph a program is captured into: TF.js kernels in the order they ran, each value assigned once. */

/** float16 is in lowered graphs only: TF.js has none. */
export type GraphDType = "float32" | "float16" | "int32" | "bool";

/** A tensor of the program; its identity is the object. */
export interface Value {
  id: number;
  shape: number[];
  dtype: GraphDType;
}

/** What a value without a producing node holds: one number everywhere, or an array (row-major). */
export type Constant = { uniform: number } | { data: Float32Array | Int32Array | Uint8Array };

export interface GraphNode {
  /** TF.js kernel name. */
  kernel: string;
  /** Inputs by the kernel's names for them, in order; an array input is "0", "1", ... */
  inputs: Map<string, Value>;
  attrs: Record<string, unknown>;
  outputs: Value[];
}

export interface Graph {
  state: Map<string, Value>;
  batch: Map<string, Value>;
  constants: Map<Value, Constant>;
  nodes: GraphNode[];
  newState: Map<string, Value>;
  results: Map<string, Value>;
}

let nextId = 0;
export const newValue = (shape: number[], dtype: GraphDType): Value => ({ id: nextId++, shape, dtype });

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);
