import type { InferenceSession, Tensor } from "onnxruntime-node";
import { type Program, sizeOf, type TensorSpecs, type Values } from "../../ops/program.ts";
import { programGraph } from "../capture/capture.ts";
import type { CompileOptions, Runnable } from "../engine.ts";
import { printGraph } from "../graph/print.ts";
import type { Store } from "../store.ts";
import { withConstants } from "./lowering/constants.ts";
import { encodeOnnx } from "./lowering/encode.ts";
import { inPlaceInOnnx } from "./lowering/inPlace.ts";
import { type LoweredProgram, lower } from "./lowering/lower.ts";
import { batchFeeds, hostTensor, ort } from "./ort.ts";
import { runInPlace } from "./runInPlace.ts";

export interface OnnxOptions extends CompileOptions {
  /** CPU threads per operator. */
  threads: number;
  /** Execution provider; default: the CPU. If set, no operator may fall back to the CPU. */
  provider?: InferenceSession.ExecutionProviderConfig;
}

/**
 * Captures `program`, compiles it with ONNX Runtime for the CPU and binds it to the tensors of `store`. Changed state
 * overwrites the old state where the graph allows it, and otherwise goes to a second buffer.
 */
export async function compile(
  program: Program,
  store: Store,
  batch: TensorSpecs,
  options: OnnxOptions,
): Promise<Runnable> {
  const graph = programGraph(program, store, batch, options.state);
  const plain = lower(graph);
  const lowered = options.constant ? withConstants(plain, (name) => store.get(name)) : plain;
  const session = await ort().InferenceSession.create(encodeOnnx(lowered.onnx), {
    executionProviders: [options.provider ?? "cpu"],
    ...(options.provider ? { extra: { session: { disable_cpu_ep_fallback: "1" } } } : {}),
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    // The graph is already folded. Doing that again in the runtime would double the compile time.
    graphOptimizationLevel: options.provider ? "basic" : "disabled",
    // Memory patterns allocate a second block next to that of the first run and are no faster.
    enableMemPattern: false,
    logSeverityLevel: 3,
    ...(options.profile ? { enableProfiling: true, profileFilePrefix: options.profile } : {}),
  });
  const compiled = new CompiledProgram(session, lowered, store, batch);
  printGraph(graph, { program: program.name, inPlace: (name) => compiled.updatesInPlace(name) });
  return compiled;
}

class CompiledProgram implements Runnable {
  readonly #session: InferenceSession;
  readonly #program: LoweredProgram;
  readonly #store: Store;
  readonly #batch: TensorSpecs;
  /** Second buffers of state that cannot be updated in place. */
  readonly #spare = new Map<string, Values>();
  readonly #results = new Map<string, { data: Values; tensor: Tensor }>();
  /** Tensors around the store's buffers, recreated only when a buffer changes. */
  readonly #wrapped = new Map<string, Tensor>();

  constructor(session: InferenceSession, program: LoweredProgram, store: Store, batch: TensorSpecs) {
    this.#session = session;
    this.#program = program;
    this.#store = store;
    this.#batch = batch;
    const inPlace = inPlaceInOnnx(program.onnx);
    for (const [name, output] of program.newState) {
      const { shape, data } = store.get(name);
      const input = program.state.get(name);
      if (input !== undefined && !inPlace(input, output)) {
        this.#spare.set(
          name,
          data instanceof Int32Array ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape)),
        );
      }
    }
    const outputs = new Map(program.onnx.outputs.map((output) => [output.name, output]));
    for (const [name, onnxName] of program.results) {
      const { shape, dtype } = outputs.get(onnxName)!;
      const data = dtype === "int32" ? new Int32Array(sizeOf(shape!)) : new Float32Array(sizeOf(shape!));
      this.#results.set(name, { data, tensor: hostTensor(data, shape!) });
    }
  }

  /** Whether a state tensor's new values overwrite the old ones. */
  updatesInPlace(name: string): boolean {
    return !this.#spare.has(name);
  }

  #stateTensor(name: string): Tensor {
    const { data, shape } = this.#store.get(name);
    const wrapped = this.#wrapped.get(name);
    if (wrapped && wrapped.data === data) return wrapped;
    const made = hostTensor(data, shape);
    this.#wrapped.set(name, made);
    return made;
  }

  async run(batch: Record<string, Values>): Promise<Record<string, Values>> {
    const { state, batch: inputs, newState, results } = this.#program;
    const feeds = batchFeeds(inputs, batch, this.#batch);
    const fetches: Record<string, Tensor> = {};
    for (const [name, onnxName] of state) feeds[onnxName] = this.#stateTensor(name);
    for (const [name, onnxName] of newState) {
      const spare = this.#spare.get(name);
      fetches[onnxName] = spare ? hostTensor(spare, this.#store.get(name).shape) : this.#stateTensor(name);
    }
    for (const [name, onnxName] of results) fetches[onnxName] = this.#results.get(name)!.tensor;
    await runInPlace(this.#session, feeds, fetches, this.#program.onnx.done!);
    for (const [name, spare] of this.#spare) {
      const { shape, data } = this.#store.get(name);
      this.#store.set(name, shape, spare);
      this.#spare.set(name, data);
    }
    return Object.fromEntries([...this.#results].map(([name, { data }]) => [name, data]));
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}
