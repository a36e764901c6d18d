import type { OnnxTensor } from "./encode.ts";
import type { LoweredProgram } from "./lower.ts";

/** Maximum size of a program's constants, bytes: a model file can hold 2 GB, and is in memory twice while read. */
const maxConstantBytes = 2 ** 30;

const products = new Set(["Gemm", "MatMul"]);

/**
 * Turns unchanged state matrices that are operands of products into constants, up to `maxConstantBytes`. The runtime
 * packs a constant matrix for products once; otherwise, every run packs it, or reads it unpacked at less than half the
 * speed.
 *
 * @param valuesOf returns a state tensor's values by name; they are read when the program is compiled
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
    if (shape.length !== 2 || bytes + data.byteLength > maxConstantBytes) continue;
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
