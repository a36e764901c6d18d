import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import util from "node:util";
import type { Scalar } from "@tensorflow/tfjs-core";
import { expect, onTestFinished, test } from "vitest";
import { loadTfjs } from "../../../../server/engine/tfjs/load.ts";

const require = createRequire(import.meta.url);

/** A folder with a package in the place of @tensorflow/tfjs-node. */
function standIn(program: string): string {
  const folder = mkdtempSync(join(tmpdir(), "btx-tfjs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const packaged = join(folder, "node_modules/@tensorflow/tfjs-node");
  mkdirSync(packaged, { recursive: true });
  writeFileSync(join(packaged, "package.json"), JSON.stringify({ name: "@tensorflow/tfjs-node", main: "index.js" }));
  writeFileSync(join(packaged, "index.js"), program);
  return folder;
}

test("a package's backend, made with a TF.js core of its own, computes for this program's", async () => {
  // Another copy of the core, as the package brings one: it registers what the first one finds.
  const folder = standIn(`
    const tf = require(${JSON.stringify(require.resolve("@tensorflow/tfjs-core"))});
    const { MathBackendCPU } = require(${JSON.stringify(require.resolve("@tensorflow/tfjs-backend-cpu"))});
    const util = require("util");
    if (util.isNullOrUndefined(0) || !util.isNullOrUndefined(null) || !util.isArray([])) throw new Error("removed");
    tf.registerBackend("tensorflow", () => new MathBackendCPU(), 3);
    for (const kernel of tf.getKernelsForBackend("cpu")) tf.registerKernel({ ...kernel, backendName: "tensorflow" });
  `);
  const tf = await loadTfjs("tfjs-node", folder);
  expect(tf.getBackend()).toBe("tensorflow");
  const [value, gradient] = tf.tidy(() => {
    const x = tf.tensor1d([1, 2, 3]);
    const { value: sum, grad } = tf.valueAndGrad((y) => tf.sum<Scalar>(tf.square(y)))(x);
    return [sum.dataSync(), grad.dataSync()];
  });
  expect([...value!, ...gradient!]).toEqual([14, 2, 4, 6]);
  expect((util as unknown as { isNullOrUndefined(x: unknown): boolean }).isNullOrUndefined(undefined)).toBe(true);
});

test("a package for GPUs that computes on the CPU is refused", async () => {
  const folder = standIn("");
  mkdirSync(join(folder, "node_modules/@tensorflow/tfjs-node-gpu"));
  writeFileSync(join(folder, "node_modules/@tensorflow/tfjs-node-gpu/index.js"), "");
  await expect(loadTfjs("tfjs-node-gpu", folder)).rejects.toThrow("TensorFlow found no GPU that it can use");
});

test("a package that does not load throws what it says", async () => {
  const folder = standIn(`throw new Error("libtensorflow.so.2: cannot open shared object file");`);
  await expect(loadTfjs("tfjs-node", folder)).rejects.toThrow("libtensorflow.so.2: cannot open shared object file");
});
