import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { Program, TensorSpecs, Values } from "../../ops/program.ts";
import { programGraph } from "../capture/capture.ts";
import type { CompileOptions, Runnable } from "../engine.ts";
import { printGraph } from "../graph/print.ts";
import type { Store } from "../store.ts";
import { type LoweredProgram, lower } from "./lowering/lower.ts";
import { batchFeeds } from "./ort.ts";
import { assertLargestFits, GpuValues } from "./webgpuMemory.ts";
import { openSession } from "./webgpuSession.ts";

/**
 * Captures `program`, compiles it with ONNX Runtime for WebGPU and binds it to the tensors of `store`. They stay on the
 * device from the first run on, and changed ones until `Store.read` copies them back; only results are copied back
 * after each run. Nothing is computed on the CPU.
 *
 * @throws UserError naming a tensor that is too large for the device
 */
export async function compileWebGpu(
  program: Program,
  store: Store,
  batch: TensorSpecs,
  { state, profile }: CompileOptions = {},
): Promise<Runnable> {
  const graph = programGraph(program, store, batch, state);
  await assertLargestFits(graph);
  const lowered = lower(graph, "webgpu");
  const staying = new Set(lowered.newState.values());
  const session = await openSession(lowered.onnx, (name) => (staying.has(name) ? "gpu-buffer" : "cpu"), profile);
  printGraph(graph, { program: program.name, inPlace: () => false });
  return new WebGpuProgram(session, lowered, store, batch);
}

class WebGpuProgram implements Runnable {
  readonly #session: InferenceSession;
  readonly #program: LoweredProgram;
  readonly #store: Store;
  readonly #batch: TensorSpecs;
  /** Values that the last run left in the store, by name. */
  readonly #made = new Map<string, GpuValues>();

  constructor(session: InferenceSession, program: LoweredProgram, store: Store, batch: TensorSpecs) {
    this.#session = session;
    this.#program = program;
    this.#store = store;
    this.#batch = batch;
  }

  /** A tensor of the store on the device; it is uploaded if the host has newer values. */
  async #stateTensor(name: string): Promise<Tensor> {
    const there = this.#store.device(name);
    if (there) return (there as GpuValues).tensor;
    const { data, shape } = this.#store.get(name);
    const values = await GpuValues.of(data, shape);
    this.#store.addDeviceCopy(name, values);
    return values.tensor;
  }

  async run(batch: Record<string, Values>): Promise<Record<string, Values>> {
    const { state, batch: inputs, newState, results } = this.#program;
    const feeds = batchFeeds(inputs, batch, this.#batch);
    for (const [name, onnxName] of state) feeds[onnxName] = await this.#stateTensor(name);
    const outputs = await this.#session.run(feeds);
    for (const [name, onnxName] of newState) {
      const values = new GpuValues(outputs[onnxName]!);
      this.#store.replaceOnDevice(name, values);
      this.#made.set(name, values);
    }
    return Object.fromEntries([...results].map(([name, onnxName]) => [name, outputs[onnxName]!.data as Values]));
  }

  async dispose(): Promise<void> {
    for (const [name, values] of this.#made)
      if (this.#store.device(name) === values) this.#store.replaceOnDevice(name, await values.copy());
    await this.#session.release();
  }
}
