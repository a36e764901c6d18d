import type { InferenceSession, Tensor } from "onnxruntime-node";
import { sizeOf, type Values } from "../../ops/program.ts";
import { UserError } from "../../protocol/errors.ts";
import { deviceFailure, outOfMemory } from "../deviceFailure.ts";
import type { Graph } from "../graph/graph.ts";
import type { DeviceValues } from "../store.ts";
import { Builder } from "./lowering/builder.ts";
import type { OnnxGraph } from "./lowering/encode.ts";
import { hostTensor } from "./ort.ts";
import { type Location, openSession } from "./webgpuSession.ts";

/**
 * Sessions that copy a tensor, by type and target; they accept any shape. They are needed because the binding copies
 * only a run's inputs and outputs between host and GPU.
 */
const transfers = new Map<string, Promise<InferenceSession>>();

async function copyTo(x: Tensor, to: Location): Promise<Tensor> {
  const dtype = x.type as "float32" | "int32";
  const key = `${dtype} to ${to}`;
  const graph: OnnxGraph = {
    nodes: [{ op: "Identity", domain: "", inputs: ["x"], outputs: ["y"], attributes: {}, name: key }],
    initializers: [],
    inputs: [{ name: "x", dtype }],
    outputs: [{ name: "y", dtype }],
  };
  const session = transfers.get(key) ?? openSession(graph, () => to);
  transfers.set(key, session);
  try {
    return (await (await session).run({ x })).y!;
  } catch (error) {
    throw deviceFailure(error, "webgpu", "the GPU that WebGPU uses");
  }
}

/** Values in the GPU's memory. */
export class GpuValues implements DeviceValues {
  readonly tensor: Tensor;

  constructor(tensor: Tensor) {
    this.tensor = tensor;
  }

  static async of(data: Values, shape: readonly number[]): Promise<GpuValues> {
    return new GpuValues(await copyTo(hostTensor(data, shape), "gpu-buffer"));
  }

  /** Copies the values into memory that outlives the session that computed them. */
  async copy(): Promise<GpuValues> {
    return new GpuValues(await copyTo(this.tensor, "gpu-buffer"));
  }

  async read(): Promise<Values> {
    return (await copyTo(this.tensor, "cpu")).data as Values;
  }

  dispose(): void {
    this.tensor.dispose();
  }
}

/** Largest buffer that every adapter supports (the default of WebGPU's limit `maxBufferSize`), bytes. */
const smallBuffer = 2 ** 28;

/** A tensor that may be too large for a GPU. */
interface Large {
  /** Name for people. */
  name: string;
  bytes: number;
  /** Whether it shrinks with the batch. */
  ofBatch: boolean;
}

/** Three digits, because a tensor may be only slightly larger than a buffer. */
const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(3)} GB`;

/** Why the GPU cannot hold a tensor; undefined if the error has another cause. */
export function tooLargeError(error: unknown, { name, bytes, ofBatch }: Large): UserError | undefined {
  const text = String(error);
  const remedy = `${ofBatch ? "lower `microBatch` or `context`" : "use a smaller model"}, or train on the CPU`;
  const limit = /exceeds the max buffer size limit \((\d+)\)/.exec(text)?.[1];
  if (limit)
    return new UserError(
      `${name} takes ${gigabytes(bytes)}, but a buffer of this GPU holds at most ${gigabytes(Number(limit))}: ${remedy}`,
    );
  if (outOfMemory.test(text))
    return new UserError(`${name} takes ${gigabytes(bytes)}, which does not fit on this GPU: ${remedy}`);
  return undefined;
}

function largestOf({ state, batch, nodes }: Graph): Large {
  const large = (name: string, shape: number[], ofBatch: boolean): Large => ({
    name: `${name} [${shape.join(", ")}]`,
    bytes: 4 * sizeOf(shape),
    ofBatch,
  });
  return [
    ...[...state].map(([name, { shape }]) => large(`the tensor ${name}`, shape, false)),
    ...[...batch].map(([name, { shape }]) => large(`the batch's ${name}`, shape, true)),
    ...nodes.flatMap(({ kernel, outputs }) =>
      outputs.map(({ shape }) => large(`the result of ${kernel}`, shape, true)),
    ),
  ].reduce((largest, tensor) => (tensor.bytes > largest.bytes ? tensor : largest));
}

/**
 * Allocates a buffer for the program's largest tensor and frees it.
 * @throws UserError naming the tensor if it does not fit
 */
export async function assertLargestFits(graph: Graph): Promise<void> {
  const largest = largestOf(graph);
  if (largest.bytes <= smallBuffer) return;
  const build = new Builder();
  const filled = build.node("Expand", [build.float(0), build.ints([largest.bytes / 4])]);
  const { nodes, initializers } = build;
  const probe: OnnxGraph = { nodes, initializers, inputs: [], outputs: [{ name: filled, dtype: "float32" }] };
  const session = await openSession(probe, () => "gpu-buffer");
  const attempt = async () => (await session.run({}))[filled]!.dispose();
  try {
    // A driver may refuse before the limit is checked, without naming it; the second refusal names it.
    await attempt().catch(attempt);
  } catch (error) {
    throw tooLargeError(error, largest) ?? error;
  } finally {
    await session.release();
  }
}
