import type { InferenceSession } from "onnxruntime-node";
import { encodeOnnx, type OnnxGraph, type OnnxNode } from "./lowering/encode.ts";
import { ort } from "./ort.ts";

/** Where the binding places an output. */
export type Location = "cpu" | "gpu-buffer";

/** ONNX Runtime's error if a node would run on the CPU. */
const cpuRefused = /fallback to CPU EP has been explicitly disabled/;

/** Keeps freed buffers of all sizes for reuse, because a program needs the same sizes in every run. */
const provider = { name: "webgpu", storageBufferCacheMode: "simple" } as const;

const create = (graph: OnnxGraph, options: InferenceSession.SessionOptions = {}) =>
  ort().InferenceSession.create(encodeOnnx(graph), {
    executionProviders: [provider],
    graphOptimizationLevel: "basic",
    enableMemPattern: false,
    logSeverityLevel: 4,
    extra: { session: { disable_cpu_ep_fallback: "1" } },
    ...options,
  });

/**
 * Opens a session in which every node runs on the GPU.
 * @param profile path prefix of a file for ONNX Runtime's per-operator profile
 * @throws Error naming the first operator that would run on the CPU
 */
export async function openSession(
  graph: OnnxGraph,
  location: (output: string) => Location,
  profile?: string,
): Promise<InferenceSession> {
  try {
    return await create(graph, {
      preferredOutputLocation: Object.fromEntries(graph.outputs.map(({ name }) => [name, location(name)])),
      ...(profile ? { enableProfiling: true, profileFilePrefix: profile } : {}),
    });
  } catch (error) {
    if (!cpuRefused.test(String(error))) throw error;
    const { op, name } = await firstWithoutKernel(graph);
    throw new Error(
      `operator ${op} ("${name}") has no WebGPU kernel for its types, and falling back to the CPU is disabled`,
    );
  }
}

/** The first node that would run on the CPU, found by compiling prefixes of the graph. */
async function firstWithoutKernel(graph: OnnxGraph): Promise<OnnxNode> {
  let [good, bad] = [0, graph.nodes.length];
  while (bad - good > 1) {
    const count = (good + bad) >> 1;
    const nodes = graph.nodes.slice(0, count);
    const outputs = nodes.at(-1)!.outputs.map((name) => ({ name }));
    try {
      await (await create({ ...graph, nodes, outputs })).release();
      good = count;
    } catch (error) {
      if (!cpuRefused.test(String(error))) throw error;
      bad = count;
    }
  }
  return graph.nodes[bad - 1]!;
}
