import { createRequire } from "node:module";
import { join } from "node:path";
import type { Tensor } from "onnxruntime-node";
import type { TensorSpecs, Values } from "../../ops/program.ts";

/** ONNX Runtime's binding. */
export type Ort = typeof import("onnxruntime-node");

let loaded: Ort | undefined;

/** Loads the package as a module at `base` would, with its telemetry turned off. */
function load(base: string): Ort {
  process.env.ORT_DISABLE_TELEMETRY = "1";
  return createRequire(base)("onnxruntime-node") as Ort;
}

/**
 * ONNX Runtime: the copy next to this program, loaded on first use. A process can load only one, because a second copy
 * of the library would find the first one's files.
 */
export function ort(): Ort {
  loaded ??= load(import.meta.url);
  return loaded;
}

/** Loads ONNX Runtime from a folder of packages instead, which includes another execution provider. */
export function loadOrtFrom(folder: string): Ort {
  if (loaded) throw new Error("ONNX Runtime is already loaded: one process computes on one device");
  loaded = load(join(folder, "package.json"));
  return loaded;
}

/** Wraps values on the host in an ONNX Runtime tensor. */
export function hostTensor(data: Values, shape: readonly number[]): Tensor {
  const { Tensor } = ort();
  return data instanceof Float32Array ? new Tensor("float32", data, shape) : new Tensor("int32", data, shape);
}

/**
 * A batch as a session's feeds. @param inputs maps names in the batch to names in the graph
 * @throws Error if the batch lacks one of them
 */
export function batchFeeds(
  inputs: ReadonlyMap<string, string>,
  batch: Record<string, Values>,
  specs: TensorSpecs,
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const [name, onnxName] of inputs) {
    const data = batch[name];
    if (!data) throw new Error(`the batch lacks "${name}"`);
    feeds[onnxName] = hostTensor(data, specs[name]!.shape);
  }
  return feeds;
}
