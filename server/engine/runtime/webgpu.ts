import { InferenceSession, Tensor } from "onnxruntime-node";
import { capture } from "../capture/capture.ts";
import { encodeOnnx, type OnnxGraph } from "../onnx/encode.ts";
import { fold } from "../onnx/fold.ts";
import { type LoweredProgram, lower } from "../onnx/lower.ts";
import type { Program, Runnable, TensorSpecs, Values } from "../program.ts";
import type { CompileOptions } from "./compile.ts";
import type { DeviceValues, Store } from "./store.ts";

type Location = "cpu" | "gpu-buffer";

/** A session of which every node runs on the GPU. @throws where one would not */
const openSession = (graph: OnnxGraph, location: (output: string) => Location, options = {}) =>
  InferenceSession.create(encodeOnnx(graph), {
    executionProviders: ["webgpu"],
    graphOptimizationLevel: "basic",
    logSeverityLevel: 3,
    preferredOutputLocation: Object.fromEntries(graph.outputs.map(({ name }) => [name, location(name)])),
    extra: { session: { disable_cpu_ep_fallback: "1" } },
    ...options,
  });

const hostTensor = (data: Values, shape: readonly number[]): Tensor =>
  data instanceof Float32Array ? new Tensor("float32", data, shape) : new Tensor("int32", data, shape);

/** Copies between host and GPU: the binding itself has none. Made once a process, for tensors of every shape. */
const transfers = new Map<string, Promise<InferenceSession>>();

async function moved(tensor: Tensor, to: Location): Promise<Tensor> {
  const dtype = tensor.type as "float32" | "int32";
  const key = `${dtype} ${to}`;
  let session = transfers.get(key);
  if (!session) {
    const graph: OnnxGraph = {
      nodes: [{ op: "Identity", domain: "", inputs: ["x"], outputs: ["y"], attributes: {}, name: `to ${to}` }],
      initializers: [],
      inputs: [{ name: "x", dtype }],
      outputs: [{ name: "y", dtype }],
    };
    session = openSession(graph, () => to);
    transfers.set(key, session);
  }
  return (await (await session).run({ x: tensor })).y!;
}

class GpuValues implements DeviceValues {
  readonly tensor: Tensor;

  constructor(tensor: Tensor) {
    this.tensor = tensor;
  }

  async read(): Promise<Values> {
    return (await moved(this.tensor, "cpu")).data as Values;
  }

  dispose(): void {
    this.tensor.dispose();
  }
}

/**
 * Captures `program`, compiles it with ONNX Runtime for WebGPU and binds it to the tensors of `store`. They stay on the
 * device from the first run on, the changed ones until `Store.read` brings them back; what comes back of itself are the
 * results. Nothing is computed on the CPU.
 */
export async function compileWebGpu(
  program: Program,
  store: Store,
  batch: TensorSpecs,
  { state: names = store.names(), profile }: Omit<CompileOptions, "threads"> = {},
): Promise<Runnable> {
  const specs = store.specs();
  const state = Object.fromEntries(names.map((name) => [name, specs[name] ?? store.get(name)]));
  const lowered = lower(fold(capture(program, state, batch)), "webgpu");
  const onDevice = new Set(lowered.newState.values());
  const session = await openSession(
    lowered.onnx,
    (output) => (onDevice.has(output) ? "gpu-buffer" : "cpu"),
    profile ? { enableProfiling: true, profileFilePrefix: profile } : {},
  );
  return new WebGpuProgram(session, lowered, store, batch);
}

class WebGpuProgram implements Runnable {
  readonly #session: InferenceSession;
  readonly #program: LoweredProgram;
  readonly #store: Store;
  readonly #batch: TensorSpecs;

  constructor(session: InferenceSession, program: LoweredProgram, store: Store, batch: TensorSpecs) {
    this.#session = session;
    this.#program = program;
    this.#store = store;
    this.#batch = batch;
  }

  /** A tensor of the store on the device; it is brought there if the host has newer values. */
  async #stateTensor(name: string): Promise<Tensor> {
    const there = this.#store.device(name);
    if (there) return (there as GpuValues).tensor;
    const { data, shape } = this.#store.get(name);
    const tensor = await moved(hostTensor(data, shape), "gpu-buffer");
    this.#store.copied(name, new GpuValues(tensor));
    return tensor;
  }

  async run(batch: Record<string, Values>): Promise<Record<string, Values>> {
    const { state, batch: inputs, newState, results } = this.#program;
    const feeds: Record<string, Tensor> = {};
    for (const [name, onnxName] of inputs) {
      const data = batch[name];
      if (!data) throw new Error(`the batch lacks "${name}"`);
      feeds[onnxName] = hostTensor(data, this.#batch[name]!.shape);
    }
    for (const [name, onnxName] of state) feeds[onnxName] = await this.#stateTensor(name);
    const outputs = await this.#session.run(feeds);
    for (const [name, onnxName] of newState) this.#store.changed(name, new GpuValues(outputs[onnxName]!));
    return Object.fromEntries([...results].map(([name, onnxName]) => [name, outputs[onnxName]!.data as Values]));
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}
