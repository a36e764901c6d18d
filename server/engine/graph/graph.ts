/** The graph of a captured program: TF.js kernels in the order they ran; each value is assigned once. */

/** float16 occurs only in lowered graphs because TF.js does not have it. */
export type GraphDType = "float32" | "float16" | "int32" | "bool";

/** A tensor of the program, identified by object identity. */
export interface Value {
  id: number;
  shape: number[];
  dtype: GraphDType;
}

/** Contents of a value without a producing node: the same number everywhere, or a row-major array. */
export type Constant = { uniform: number } | { data: Float32Array | Int32Array | Uint8Array };

export interface GraphNode {
  /** TF.js kernel name. */
  kernel: string;
  /** Inputs by their kernel's names, in order; array inputs are named "0", "1", ... */
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
