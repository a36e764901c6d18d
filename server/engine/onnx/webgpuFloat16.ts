import { Builder } from "./lowering/builder.ts";
import { dtypeCode } from "./lowering/encode.ts";
import { hostTensor } from "./ort.ts";
import { openSession } from "./webgpuSession.ts";

/** ONNX Runtime's error for an operator in float16 on an adapter without WebGPU's feature `shader-f16`. */
const missing = /requires f16/i;

/** Whether the GPU that WebGPU uses computes in float16, found by adding two numbers. */
export async function hasFloat16(): Promise<boolean> {
  const build = new Builder();
  const half = build.node("Cast", ["x"], { to: dtypeCode.float16 });
  const sum = build.node("Cast", [build.node("Add", [half, half])], { to: dtypeCode.float32 });
  const { nodes, initializers } = build;
  const inputs = [{ name: "x", dtype: "float32" as const, shape: [1] }];
  const graph = { nodes, initializers, inputs, outputs: [{ name: sum, dtype: "float32" as const, shape: [1] }] };
  try {
    const session = await openSession(graph, () => "cpu");
    try {
      const outputs = await session.run({ x: hostTensor(Float32Array.of(1.5), [1]) });
      return outputs[sum]!.data[0] === 3;
    } finally {
      await session.release();
    }
  } catch (error) {
    if (missing.test(String(error))) return false;
    throw error;
  }
}
