import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import * as tf from "@tensorflow/tfjs-core";

/** The devices of the engine `tfjs`, which are packages. */
export type TfjsDevice = "tfjs-node-gpu" | "tfjs-node" | "cpu";

/**
 * Makes TF.js compute on a device. A package from another folder brings a TF.js core of its own; both share one engine,
 * one registry of kernels and one of gradients, which lie in the global object.
 *
 * @param folder where the package is installed
 */
export async function loadTfjs(device: TfjsDevice, folder?: string): Promise<typeof tf> {
  if (device === "cpu") {
    // Else the backend advertises another package.
    tf.env().set("IS_NODE", false);
    await import("@tensorflow/tfjs-backend-cpu");
    await tf.setBackend("cpu");
    return tf;
  }
  withRemovedUtilities();
  createRequire(join(folder!, "package.json"))(`@tensorflow/${device}`);
  if (!(await tf.setBackend("tensorflow"))) throw new Error(`@tensorflow/${device} has no backend "tensorflow"`);
  await tf.ready();
  return tf;
}

/** Puts back what `@tensorflow/tfjs-node` calls of `node:util` and Node 23 removed. */
function withRemovedUtilities(): void {
  const utilities = util as unknown as Record<string, unknown>;
  utilities.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  utilities.isArray ??= Array.isArray;
}
