import { type BackendValues, type DataId, type DataType, KernelBackend, type TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../../ops/program.ts";
import { type Constant, type GraphDType, type GraphNode, newValue, type Value } from "../graph/graph.ts";

export const backendName = "btx-capture";

const graphDType = (dtype: DataType): GraphDType => {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new Error(`a captured program can only use float32, int32 and bool tensors, not ${dtype}`);
};

/** A TF.js backend that computes nothing but records which kernels ran on which tensors. */
export class CaptureBackend extends KernelBackend {
  nodes: GraphNode[] = [];
  constants = new Map<Value, Constant>();
  #values = new WeakMap<DataId, Value>();
  #ids = 0;

  /** Discards the recording. */
  reset(): void {
    this.nodes = [];
    this.constants = new Map();
  }

  /** The graph value of a TF.js tensor. */
  captured(tensor: TensorInfo): Value {
    const value = this.#values.get(tensor.dataId);
    if (!value) throw new Error("a captured program used a tensor from outside: pass it in as state or batch");
    return value;
  }

  tensorOf(value: Value): TensorInfo {
    const dataId = {};
    this.#values.set(dataId, value);
    this.#ids++;
    return { dataId, shape: value.shape, dtype: value.dtype as DataType };
  }

  record(
    kernel: string,
    inputs: Map<string, Value>,
    attrs: Record<string, unknown>,
    outputs: { shape: number[]; dtype: GraphDType }[],
  ): TensorInfo[] {
    const values = outputs.map(({ shape, dtype }) => newValue(shape, dtype));
    this.nodes.push({ kernel, inputs, attrs, outputs: values });
    return values.map((value) => this.tensorOf(value));
  }

  constant(constant: Constant, shape: number[], dtype: GraphDType): TensorInfo {
    const value = newValue(shape, dtype);
    this.constants.set(value, constant);
    return this.tensorOf(value);
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    const type = graphDType(dtype);
    const size = sizeOf(shape);
    const array = (values ?? new Float32Array(size)) as ArrayLike<number>;
    const uniform = size > 0 && Array.prototype.every.call(array, (element) => element === array[0]);
    const data =
      type === "float32"
        ? Float32Array.from(array)
        : type === "int32"
          ? Int32Array.from(array)
          : Uint8Array.from(array);
    return this.constant(uniform ? { uniform: array[0]! } : { data }, shape, type).dataId;
  }

  override readSync(): never {
    throw new Error("a captured program read a tensor's value: programs must not depend on values");
  }

  override read(): never {
    return this.readSync();
  }

  override disposeData(): boolean {
    return true;
  }

  override numDataIds(): number {
    return this.#ids;
  }

  override refCount(): number {
    return 1;
  }

  override incRef(): void {}

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {}
}
