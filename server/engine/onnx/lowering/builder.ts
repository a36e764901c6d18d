import type { GraphNode, Value } from "../../graph/graph.ts";
import type { Attribute, DType, OnnxNode, OnnxTensor } from "./encode.ts";

const bytesOf = (array: Float32Array | Int32Array | BigInt64Array | Uint8Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

export interface NodeOptions {
  attributes?: Record<string, Attribute>;
  domain?: string;
  outputs?: number;
}

/** Collects ONNX nodes and constants. An operator is added only once for the same inputs. */
export class Builder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly #seen = new Map<string, string[]>();
  #label = "";

  /** Sets the prefix for the names of the next nodes. */
  label(label: string): void {
    this.#label = label;
  }

  many(op: string, inputs: string[], { attributes = {}, domain = "", outputs = 1 }: NodeOptions = {}): string[] {
    const key = JSON.stringify([op, domain, inputs, attributes, outputs]);
    const known = this.#seen.get(key);
    if (known) return known;
    const index = this.nodes.length;
    const names = Array.from({ length: outputs }, (_, i) => `t${index}_${i}`);
    this.nodes.push({ op, domain, inputs, outputs: names, attributes, name: `${index} ${this.#label} ${op}` });
    this.#seen.set(key, names);
    return names;
  }

  /** Adds a node with one output and returns the output's name. */
  node(op: string, inputs: string[], attributes: Record<string, Attribute> = {}, domain = ""): string {
    return this.many(op, inputs, { attributes, domain })[0]!;
  }

  constant(dtype: DType, shape: number[], data: Float32Array | Int32Array | BigInt64Array | Uint8Array): string {
    const key = data.byteLength <= 1024 ? `constant ${dtype} [${shape}] ${bytesOf(data).join()}` : undefined;
    const known = key && this.#seen.get(key);
    if (known) return known[0]!;
    const name = `c${this.initializers.length}`;
    this.initializers.push({ name, dtype, shape, bytes: bytesOf(data) });
    if (key) this.#seen.set(key, [name]);
    return name;
  }

  float(value: number, shape: number[] = []): string {
    return this.constant("float32", shape, Float32Array.of(value));
  }

  int32(value: number, shape: number[] = []): string {
    return this.constant("int32", shape, Int32Array.of(value));
  }

  /** A constant int64 vector, for shapes, axes and so on. */
  ints(values: readonly number[]): string {
    return this.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
  }
}

/** Input of a rule: a node, the ONNX names of its inputs, and the builder. */
export interface Lowering {
  node: GraphNode;
  /** ONNX names of the inputs, in order. */
  names: string[];
  values: Value[];
  attrs: Record<string, unknown>;
  output: Value;
  build: Builder;
}
/** Writes the ONNX nodes of one kernel and returns the names of its outputs. */
export type Rule = (lowering: Lowering) => string | string[];
