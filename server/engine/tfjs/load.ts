import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import * as tf from "@tensorflow/tfjs-core";

/** Devices of the engine `tfjs`: two packages, and plain JavaScript. */
export type TfjsDevice = "tfjs-node-gpu" | "tfjs-node" | "cpu";

/**
 * Makes TF.js compute on a device. A package from another folder loads its own TF.js core; both cores share one engine,
 * one registry of kernels and one of gradients, which are in the global object.
 *
 * @param folder where the package is installed
 * @param threads TensorFlow's CPU threads; default: all
 */
export async function loadTfjs(device: TfjsDevice, folder?: string, threads?: number): Promise<typeof tf> {
  if (device === "cpu") {
    // Otherwise the backend prints an advertisement for another package.
    tf.env().set("IS_NODE", false);
    await import("@tensorflow/tfjs-backend-cpu");
    await tf.setBackend("cpu");
    return tf;
  }
  withRemovedUtilities();
  // TensorFlow reads this when it is loaded.
  if (threads !== undefined) process.env.TF_NUM_INTRAOP_THREADS ??= String(threads);
  createRequire(join(folder!, "package.json"))(`@tensorflow/${device}`);
  if (!(await tf.setBackend("tensorflow"))) throw new Error(`@tensorflow/${device} has no backend "tensorflow"`);
  await tf.ready();
  // TensorFlow falls back to the CPU if it finds no GPU.
  if (device === "tfjs-node-gpu" && !(tf.backend() as { isUsingGpuDevice?: boolean }).isUsingGpuDevice)
    throw new Error("TensorFlow found no GPU that it can use");
  return tf;
}

/**
 * Restores the functions of `node:util` that `@tensorflow/tfjs-node` calls: Node 22 deprecates them, and Node 23
 * removes some.
 */
function withRemovedUtilities(): void {
  const isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  Object.assign(util, { isNullOrUndefined, isArray: Array.isArray });
}
