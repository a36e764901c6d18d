import { encodeOnnx } from "../engine/onnx/lowering/encode.ts";
import { loadOrtFrom, ort } from "../engine/onnx/ort.ts";
import { loadTfjs } from "../engine/tfjs/load.ts";

/**
 * The program `probe.js DEVICE [FOLDER]`: adds two numbers on a device and prints "works", or fails with the error of
 * its library. A process of its own, because a broken driver may crash or never return. FOLDER: where the package is
 * installed.
 */

const add = encodeOnnx({
  nodes: [
    { op: "SequenceEmpty", domain: "", inputs: [], outputs: ["done"], attributes: {}, name: "done" },
    { op: "Add", domain: "", inputs: ["a", "b"], outputs: ["sum"], attributes: {}, name: "add" },
  ],
  initializers: [],
  inputs: ["a", "b"].map((name) => ({ name, dtype: "float32", shape: [1] })),
  outputs: [{ name: "sum", dtype: "float32", shape: [1] }],
  done: "done",
});

async function sumOnOnnx(provider: "webgpu" | "cuda", index: number): Promise<number> {
  const { InferenceSession, Tensor } = ort();
  const session = await InferenceSession.create(add, {
    executionProviders: [provider === "cuda" ? { name: provider, deviceId: index } : provider],
    logSeverityLevel: 3,
  });
  const tensor = (value: number) => new Tensor("float32", Float32Array.of(value), [1]);
  const { sum } = await session.run({ a: tensor(2), b: tensor(3) }, ["sum"]);
  return sum!.data[0] as number;
}

async function sumOn(device: string, folder: string | undefined): Promise<number> {
  if (device === "tfjs-node" || device === "tfjs-node-gpu") {
    const tf = await loadTfjs(device, folder!);
    return tf.tidy(() => tf.add(tf.tensor1d([2]), tf.tensor1d([3])).dataSync()[0]!);
  }
  if (folder !== undefined) loadOrtFrom(folder);
  const [provider, index = "0"] = device.split(":");
  return sumOnOnnx(provider as "webgpu" | "cuda", Number(index));
}

const [device, folder] = process.argv.slice(2) as [string, string | undefined];
const sum = await sumOn(device, folder);
if (sum !== 5) throw new Error(`2 + 3 is ${sum} there`);
console.log("works");
// Drivers may hold threads that never end.
process.exit(0);
