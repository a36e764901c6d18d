import type { OnnxTensor } from "./encode.ts";
import type { LoweredProgram } from "./lower.ts";

/** Most bytes that become a part of a program: a model file holds 2 GB, and is in memory twice while it is read. */
const most = 2 ** 30;

const products = new Set(["Gemm", "MatMul"]);

/**
 * The program with the matrices of its state that stand in products, and that it does not change, as constants, as far as
 * `most` allows: the runtime lays a constant matrix out for products once, where it would otherwise do so, or read it as
 * it lies at less than half the speed, in every run.
 *
 * @param valuesOf a tensor of the state by its name; the bytes are read when the program is made ready
 */
export function withConstants(
  program: LoweredProgram,
  valuesOf: (name: string) => { shape: number[]; data: Float32Array | Int32Array },
): LoweredProgram {
  const { onnx, state, newState } = program;
  const multiplied = new Set(onnx.nodes.filter(({ op }) => products.has(op)).flatMap(({ inputs }) => inputs));
  const constants: OnnxTensor[] = [];
  let bytes = 0;
  for (const [name, onnxName] of state) {
    if (newState.has(name) || !multiplied.has(onnxName)) continue;
    const { shape, data } = valuesOf(name);
    if (shape.length !== 2 || bytes + data.byteLength > most) continue;
    bytes += data.byteLength;
    const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    constants.push({ name: onnxName, dtype: "float32", shape, bytes: view });
  }
  const constant = new Set(constants.map(({ name }) => name));
  return {
    ...program,
    onnx: {
      ...onnx,
      initializers: [...onnx.initializers, ...constants],
      inputs: onnx.inputs.filter(({ name }) => !constant.has(name)),
    },
    state: new Map([...state].filter(([, onnxName]) => !constant.has(onnxName))),
  };
}
