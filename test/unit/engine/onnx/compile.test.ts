import { add, matMul, mul, reshape, softmax, sub, sum, type Tensor, transpose } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { compile } from "../../../../server/engine/onnx/compile.ts";
import { Store } from "../../../../server/engine/store.ts";
import { eager } from "../../../../server/engine/tfjs/eager.ts";
import { sequenceBatch } from "../../../../server/model/loss.ts";
import { adamWInputs, optimizerInputs } from "../../../../server/model/optimizer.ts";
import { trainStep } from "../../../../server/model/trainStep.ts";
import type { Program, TensorSpecs, Values } from "../../../../server/ops/program.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import { expectClose, float, type Input, ints, specsOf, valuesOf } from "../../../fixtures/engine.ts";
import { dense, mixture, storeOf } from "../../../fixtures/models.ts";

const matrix = (...data: number[]): Input => ({ shape: [2, 2], data: Float32Array.from(data) });
const start = { w: matrix(1, 2, 3, 4), v: matrix(0.5, -1, 0.25, 2) };
const small = matrix(0.1, 0.2, -0.3, 0.4);

function storeWith(state: Record<string, Input>): Store {
  const store = new Store();
  for (const [name, { shape, data }] of Object.entries(state)) store.set(name, shape, data.slice());
  return store;
}

/** Runs a program five times compiled and eagerly, compares all values, and says how many buffers the state passed through. */
async function buffersOf(program: Program, state: Record<string, Input>, x = small): Promise<Record<string, number>> {
  const [fast, slow] = [storeWith(state), storeWith(state)];
  const compiled = await compile(program, fast, specsOf({ x }), { threads: 1 });
  const oracle = eager(program, slow, specsOf({ x }), { backend: "cpu" });
  const buffers = new Map(Object.keys(state).map((name) => [name, new Set([fast.get(name).data.buffer])]));
  for (let step = 0; step < 5; step++) {
    const batch = { x: x.data.map((value) => value + step / 10) as Float32Array };
    const [found, expected] = [await compiled.run(batch), await oracle.run(batch)];
    expect(Object.keys(found)).toEqual(Object.keys(expected));
    for (const [name, values] of Object.entries(expected)) expectClose(found[name]!, values);
    for (const [name, seen] of buffers) {
      seen.add(fast.get(name).data.buffer);
      expectClose(fast.get(name).data, slow.get(name).data);
    }
  }
  await compiled.dispose();
  return Object.fromEntries([...buffers].map(([name, seen]) => [name, seen.size]));
}

const square = (tensor: Tensor): Tensor => mul(tensor, tensor);

describe("state", () => {
  test("is written over itself where every element depends on itself alone", async () => {
    const program: Program = ({ w, v }, { x: input }) => {
      const moment = add(mul(v!, 0.9), input!);
      return { state: { v: moment, w: sub(mul(w!, 0.99), mul(moment, 0.1)) }, results: { norm: sum(square(moment)) } };
    };
    expect(await buffersOf(program, start)).toEqual({ w: 1, v: 1 });
  });

  test("is written over itself where its old values are read before, by what the new ones depend on", async () => {
    const program: Program = ({ w }, { x: input }) => ({
      state: { w: sub(w!, mul(softmax(matMul(w!, input!)), 0.1)) },
      results: {},
    });
    expect(await buffersOf(program, { w: start.w })).toEqual({ w: 1 });
  });

  test("is written where it lies where its old values are not read at all", async () => {
    const program: Program = ({ v }, { x: input }) => ({
      state: { w: mul(input!, 2), v: add(v!, input!) },
      results: {},
    });
    expect(await buffersOf(program, start)).toEqual({ w: 1, v: 1 });
  });

  test.each<[string, (w: Tensor, input: Tensor) => Tensor]>([
    ["a product and a sum", (w, input) => add(mul(matMul(w, input), 0.1), input)],
    ["a product and the old values", (w, input) => sub(w, matMul(w, input))],
    ["a transposition and the old values", (w) => mul(add(transpose(w), w), 0.4)],
  ])("is right where it is made of %s, which the runtime may do in one", async (_, update) => {
    const size = [70, 70];
    const program: Program = ({ w }, { x: input }) => ({ state: { w: update(w!, input!) }, results: {} });
    await buffersOf(program, { w: float(size, 1, 0.1) }, float(size, 2, 0.05));
  });

  test.each<[string, Program]>([
    ["elements are mixed", ({ w }) => ({ state: { w: softmax(w!) }, results: {} })],
    ["it is a matrix product", ({ w }, { x: input }) => ({ state: { w: matMul(w!, input!) }, results: {} })],
    [
      "a result reads its old values",
      ({ w }, { x: input }) => ({ state: { w: add(w!, input!) }, results: { old: matMul(w!, input!) } }),
    ],
    [
      "its old values are read in another shape after the new ones are known",
      ({ w }, { x: input }) => {
        const flat = reshape(w!, [4, 1]);
        const next = add(w!, reshape(mul(flat, reshape(input!, [4, 1])), [2, 2]));
        return { state: { w: next }, results: { product: matMul(flat, reshape(next, [1, 4])) } };
      },
    ],
  ])("is written into a second buffer, and back, where %s", async (_, program) => {
    expect(await buffersOf(program, { w: start.w })).toEqual({ w: 2 });
  });

  test("of which each part reads the other's old values is right", async () => {
    const swap: Program = ({ w, v }) => ({ state: { w: v!, v: w! }, results: {} });
    await buffersOf(swap, start);
    const both: Program = ({ w, v }, { x: input }) => ({
      state: { w: add(w!, v!), v: mul(sub(v!, w!), input!) },
      results: { sum: sum(w!) },
    });
    await buffersOf(both, start);
  });

  test("that a program does not change stays as it is", async () => {
    const store = storeWith(start);
    const { w, v } = { w: store.get("w").data, v: store.get("v").data };
    const program = await compile(
      ({ w: a, v: b }) => ({ state: { v: add(a!, b!) }, results: {} }),
      store,
      {},
      { threads: 1 },
    );
    await program.run({});
    await program.dispose();
    expect(store.get("w").data).toBe(w);
    expect([...store.get("w").data]).toEqual([1, 2, 3, 4]);
    expect(store.get("v").data).toBe(v);
    expect([...store.get("v").data]).toEqual([1.5, 1, 3.25, 6]);
  });
});

test("programs on one store see each other's changes, whichever buffer they end in", async () => {
  const store = storeWith({ w: start.w });
  const grow = await compile(
    ({ w }, { x: input }) => ({ state: { w: add(w!, input!) }, results: {} }),
    store,
    specsOf({ x: small }),
    {
      threads: 1,
    },
  );
  const multiply = await compile(({ w }) => ({ state: { w: matMul(w!, w!) }, results: {} }), store, {}, { threads: 1 });
  const read = await compile(({ w }) => ({ state: {}, results: { total: sum(w!) } }), store, {}, { threads: 1 });
  const ones = { x: new Float32Array(4).fill(1) };
  const total = async () => (await read.run({})).total![0];
  expect(await total()).toBe(10);
  await grow.run(ones);
  expect([...store.get("w").data]).toEqual([2, 3, 4, 5]);
  await multiply.run({});
  expect([...store.get("w").data]).toEqual([16, 21, 28, 37]);
  expect(await total()).toBe(102);
  await grow.run(ones);
  await multiply.run({});
  expect([...store.get("w").data]).toEqual([
    17 * 17 + 22 * 29,
    17 * 22 + 22 * 38,
    29 * 17 + 38 * 29,
    29 * 22 + 38 * 38,
  ]);
  store.set("w", [2, 2], Float32Array.of(0, 0, 0, 1));
  expect(await total()).toBe(1);
  for (const program of [grow, multiply, read]) await program.dispose();
});

test("a program may take a part of the store, and names what the store lacks", async () => {
  const store = storeWith(start);
  const program: Program = (state) => ({ state: {}, results: { names: sum(state.w!), count: reshape(state.w!, [4]) } });
  const seen: string[][] = [];
  const watched: Program = (state, batch) => {
    seen.push(Object.keys(state));
    return program(state, batch);
  };
  const compiled = await compile(watched, store, {}, { threads: 1, state: ["w"] });
  expect(seen).toEqual([["w"]]);
  expect([...(await compiled.run({})).count!]).toEqual([1, 2, 3, 4]);
  await compiled.dispose();
  await expect(compile(program, store, {}, { threads: 1, state: ["w", "u"] })).rejects.toThrow(
    'the store has no tensor "u"',
  );
});

test("results hold until the next run, and are written anew by it", async () => {
  const store = storeWith({ w: start.w });
  const program = await compile(
    ({ w }, { x: input }) => ({ state: {}, results: { sum: sum(mul(w!, input!)), scaled: mul(w!, input!) } }),
    store,
    specsOf({ x: small }),
    { threads: 1 },
  );
  const first = await program.run({ x: Float32Array.of(1, 1, 1, 1) });
  expect([first.sum![0], ...first.scaled!]).toEqual([10, 1, 2, 3, 4]);
  const second = await program.run({ x: Float32Array.of(2, 2, 2, 2) });
  expect([second.sum![0], ...second.scaled!]).toEqual([20, 2, 4, 6, 8]);
  await program.dispose();
});

test("a batch that lacks a tensor, or has one of another size, is refused, and the state stays as it was", async () => {
  const store = storeWith({ w: start.w });
  const program = await compile(
    ({ w }, { x: input }) => ({ state: { w: add(w!, input!) }, results: {} }),
    store,
    specsOf({ x: small }),
    { threads: 1 },
  );
  await expect(program.run({})).rejects.toThrow('the batch lacks "x"');
  await expect(program.run({ y: new Float32Array(4) })).rejects.toThrow('the batch lacks "x"');
  await expect(program.run({ x: new Float32Array(3) })).rejects.toThrow();
  expect([...store.get("w").data]).toEqual([1, 2, 3, 4]);
  await program.run({ x: new Float32Array(4).fill(1) });
  expect([...store.get("w").data]).toEqual([2, 3, 4, 5]);
  await program.dispose();
});

describe.each([
  ["dense", dense],
  ["mixture-of-experts", mixture],
])("training steps of a %s model", (_, config) => {
  const training = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
  const sequences = 4;

  function inputsOf(step: number): Record<string, Values> {
    const shape = [sequences, config.context];
    const numbers = adamWInputs(step, 5e-3, training);
    return {
      ...valuesOf({ tokens: ints(shape, step, config.vocab), targets: ints(shape, step + 100, config.vocab) }),
      weights: new Float32Array(sequences * config.context).fill(1),
      domain: Int32Array.of(0, 1, 0, 1),
      ...Object.fromEntries(optimizerInputs.map((name) => [name, Float32Array.of(numbers[name])])),
    };
  }

  async function trained(of: ModelConfig, clip: number, threads: number, steps: number) {
    const batch: TensorSpecs = sequenceBatch(of, sequences);
    for (const name of optimizerInputs) batch[name] = { shape: [], dtype: "float32" };
    const store = storeOf(of, { moments: true });
    const buffers = new Map(store.names().map((name) => [name, store.get(name).data.buffer]));
    const step = await compile(trainStep(of, { ...training, clip }, 2), store, batch, { threads });
    const results: number[][] = [];
    for (let i = 1; i <= steps; i++)
      results.push(Object.values(await step.run(inputsOf(i))).flatMap((values) => [...values]));
    await step.dispose();
    const moved = store.names().filter((name) => store.get(name).data.buffer !== buffers.get(name));
    return { store, results, moved };
  }

  test("give the same bits again, with one thread and with two, and keep all state in its place", async () => {
    const first = await trained(config, 1, 1, 6);
    expect(first.moved).toEqual([]);
    for (const threads of [1, 2]) {
      const again = await trained(config, 1, threads, 6);
      expect(again.results).toEqual(first.results);
      for (const name of first.store.names()) {
        const bits = (store: Store) => new Uint32Array(store.get(name).data.buffer);
        expect(bits(again.store)).toEqual(bits(first.store));
      }
    }
  });

  test("without clipping, where an update need not wait for all gradients, are those of a clip that never bites", async () => {
    const [without, never] = [await trained(config, 0, 1, 4), await trained(config, 1e6, 1, 4)];
    for (const [i, results] of never.results.entries())
      expectClose(Float32Array.from(without.results[i]!), Float32Array.from(results), 1e-5);
    for (const name of never.store.names()) expectClose(without.store.get(name).data, never.store.get(name).data, 1e-4);
  });
});
