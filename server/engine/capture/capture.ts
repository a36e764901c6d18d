import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import type { Program, TensorSpecs, Tensors } from "../../ops/program.ts";
import { fold } from "../graph/fold.ts";
import { type Graph, newValue, type Value } from "../graph/graph.ts";
import { type ShapeRule, shapeRules } from "../graph/shapes.ts";
import type { Store } from "../store.ts";
import { backendName, CaptureBackend } from "./backend.ts";

type Inputs = Record<string, tf.TensorInfo>;

/** Stack frames between a kernel and the function that called it. */
const plumbing =
  /tfjs|server\/engine\/capture\/|server\/ops\/kernel|node:internal|^\s*at (?:Object\.|Engine\.|Array\.|Map\.|new )|<anonymous>/;

/** The function that called the current kernel, as "name (file:line:column)". */
function caller(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const frames = new Error().stack!.split("\n").slice(1);
  Error.stackTraceLimit = limit;
  const frame = frames.find((line) => !plumbing.test(line)) ?? "";
  return frame.trim().replace(/^at /, "") || "the program";
}

function namedInputs(backend: CaptureBackend, inputs: Inputs | tf.TensorInfo[]): Map<string, Value> {
  return new Map(Object.entries(inputs).map(([name, tensor]) => [name, backend.captured(tensor)]));
}

const describe = (inputs: Map<string, Value>): string =>
  [...inputs].map(([name, { shape, dtype }]) => `${name} ${dtype} [${shape}]`).join(", ");

function recording(kernel: string, rule: ShapeRule): tf.KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const capture = backend as CaptureBackend;
    const named = namedInputs(capture, inputs as Inputs);
    const recorded = (attrs ?? {}) as Record<string, unknown>;
    const outputs = capture.record(kernel, named, recorded, rule([...named.values()], recorded));
    return outputs.length === 1 ? outputs[0]! : outputs;
  };
}

function refusal(kernel: string): tf.KernelFunc {
  return ({ inputs, backend }) => {
    const named = namedInputs(backend as CaptureBackend, inputs as Inputs);
    throw new Error(
      `op ${kernel} cannot be compiled because it has no shape rule; inputs: ${describe(named)}; called by ${caller()}`,
    );
  };
}

const fill: tf.KernelFunc = ({ attrs, backend }) => {
  const { shape, value, dtype } = attrs as unknown as { shape: number[]; value: number; dtype?: "float32" | "int32" };
  return (backend as CaptureBackend).constant({ uniform: value }, shape, dtype ?? "float32");
};

const range: tf.KernelFunc = ({ attrs, backend }) => {
  const { start, stop, step, dtype } = attrs as unknown as {
    start: number;
    stop: number;
    step: number;
    dtype: "float32" | "int32";
  };
  const length = Math.max(0, Math.ceil((stop - start) / step));
  const numbers = Array.from({ length }, (_, i) => start + i * step);
  const data = dtype === "int32" ? Int32Array.from(numbers) : Float32Array.from(numbers);
  return (backend as CaptureBackend).constant({ data }, [length], dtype);
};

/** The names of all TF.js kernels. Those without a shape rule throw an error that explains the problem. */
const tfjsKernels = Object.entries(tf)
  .filter(([name, value]) => name === value)
  .map(([name]) => name);

let capturing: CaptureBackend | undefined;

function captureBackend(): CaptureBackend {
  if (capturing) return capturing;
  const backend = new CaptureBackend();
  tf.registerBackend(backendName, () => backend, 0);
  for (const [kernelName, rule] of Object.entries(shapeRules)) {
    tf.registerKernel({ kernelName, backendName, kernelFunc: recording(kernelName, rule) });
  }
  tf.registerKernel({ kernelName: "Fill", backendName, kernelFunc: fill });
  tf.registerKernel({ kernelName: "Range", backendName, kernelFunc: range });
  for (const kernelName of tfjsKernels) {
    if (kernelName in shapeRules || kernelName === "Fill" || kernelName === "Range") continue;
    tf.registerKernel({ kernelName, backendName, kernelFunc: refusal(kernelName) });
  }
  capturing = backend;
  return backend;
}

/**
 * Runs `program` once on tensors without values and returns the graph of its operations, including TF.js's gradients.
 *
 * @throws Error naming the op, its inputs' shapes and its caller if an op has no shape rule
 */
export function capture(program: Program, state: TensorSpecs, batch: TensorSpecs): Graph {
  const backend = captureBackend();
  const previous = tf.getBackend();
  tf.setBackend(backendName);
  backend.reset();
  try {
    const placeholders = (specs: TensorSpecs) =>
      new Map(Object.entries(specs).map(([name, { shape, dtype }]) => [name, newValue(shape, dtype)]));
    const tensors = (values: Map<string, Value>): Tensors =>
      Object.fromEntries(
        [...values].map(([name, value]) => [name, tf.engine().makeTensorFromTensorInfo(backend.tensorOf(value))]),
      );
    const valuesOf = (named: Tensors) =>
      new Map(Object.entries(named).map(([name, tensor]) => [name, backend.captured(tensor)]));

    const stateValues = placeholders(state);
    const batchValues = placeholders(batch);
    tf.engine().startScope("capture");
    const output = program(tensors(stateValues), tensors(batchValues));
    for (const name of Object.keys(output.state)) {
      if (!stateValues.has(name))
        throw new Error(`a program returned the state "${name}", which is not among its inputs`);
    }
    const graph: Graph = {
      state: stateValues,
      batch: batchValues,
      constants: backend.constants,
      nodes: backend.nodes,
      newState: valuesOf(output.state),
      results: valuesOf(output.results),
    };
    return graph;
  } finally {
    tf.engine().endScope();
    backend.reset();
    if (previous && previous !== backendName) tf.setBackend(previous);
  }
}

/**
 * The folded graph of `program` on tensors in `store`, which an engine compiles.
 * @param names of the store's tensors that the program reads; default: all
 */
export function programGraph(program: Program, store: Store, batch: TensorSpecs, names?: readonly string[]): Graph {
  const specs = store.specs();
  const state = names ? Object.fromEntries(names.map((name) => [name, specs[name] ?? store.get(name)])) : specs;
  return fold(capture(program, state, batch));
}
