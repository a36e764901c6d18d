import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { describe, expect, test } from "vitest";
import { Store } from "../../../../server/engine/store.ts";
import { eager } from "../../../../server/engine/tfjs/eager.ts";
import type { Program } from "../../../../server/ops/program.ts";

tf.env().set("IS_NODE", false);

const batch = { x: { shape: [2], dtype: "float32" as const } };
const inputs = { x: Float32Array.of(1, 2) };
/** Adds x to `sum`, hands `same` through, and reads `fixed`. */
const add: Program = ({ sum, same, fixed }, { x }) => ({
  state: { sum: tf.add(sum!, x!), same: same! },
  results: { total: tf.sum(tf.mul(sum!, fixed!)) },
});

function storeOf(): Store {
  const store = new Store();
  for (const name of ["sum", "same", "fixed", "unused"]) store.set(name, [2], Float32Array.of(1, 1));
  return store;
}

const resident = { backend: "cpu", resident: true, state: ["sum", "same", "fixed"] };

describe("state that is resident", () => {
  test("stays on the backend between runs, comes back when it is read, and leaves no tensor behind", async () => {
    const store = storeOf();
    const program = eager(add, store, batch, resident);
    await program.run(inputs);
    const tensors = tf.memory().numTensors;
    for (let i = 0; i < 4; i++) await program.run(inputs);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(() => store.get("sum")).toThrow('the newest values of "sum" are on a device');
    expect((await store.read("sum")).data).toEqual(Float32Array.of(6, 11));
    expect((await store.read("same")).data).toEqual(Float32Array.of(1, 1));
    expect((await program.run(inputs)).total).toEqual(Float32Array.of(17));
  });

  test("is uploaded once, and again when the host has newer values", async () => {
    const store = storeOf();
    const program = eager(add, store, batch, resident);
    await program.run(inputs);
    const fixed = store.device("fixed");
    expect(fixed).toBeDefined();
    await program.run(inputs);
    expect(store.device("fixed")).toBe(fixed);
    store.set("fixed", [2], Float32Array.of(0, 1));
    expect((await program.run(inputs)).total).toEqual(Float32Array.of(5));
    store.set("sum", [2], Float32Array.of(100, 0));
    await program.run(inputs);
    expect((await store.read("sum")).data).toEqual(Float32Array.of(101, 2));
    expect(store.device("unused")).toBeUndefined();
  });

  test("is shared by the programs of a store", async () => {
    const store = storeOf();
    const [one, other] = [eager(add, store, batch, resident), eager(add, store, batch, resident)];
    await one.run(inputs);
    await other.run(inputs);
    await one.dispose();
    expect((await store.read("sum")).data).toEqual(Float32Array.of(3, 5));
  });
});

test("without it the store has all values on the host after a run, the same", async () => {
  const store = storeOf();
  const program = eager(add, store, batch, { backend: "cpu" });
  const tensors = tf.memory().numTensors;
  await program.run(inputs);
  await program.run(inputs);
  expect(store.get("sum").data).toEqual(Float32Array.of(3, 5));
  expect(tf.memory().numTensors).toBe(tensors);
});
