import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { add, cast, greater, matMul, max, mul, sub, sum, tile, transpose } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { compile } from "../../../../server/engine/onnx/compile.ts";
import { compileWebGpu } from "../../../../server/engine/onnx/webgpu.ts";
import { hasFloat16 } from "../../../../server/engine/onnx/webgpuFloat16.ts";
import { Store } from "../../../../server/engine/store.ts";
import { balanceMeans } from "../../../../server/model/balanceMeans.ts";
import { blockInputBatch, blockInputSums } from "../../../../server/model/blockInputSums.ts";
import { cacheShapes, decode, decodeBatch } from "../../../../server/model/decode.ts";
import { inspection, inspectionBatch } from "../../../../server/model/inspection.ts";
import { evaluation, sequenceBatch } from "../../../../server/model/loss.ts";
import { accumulate, gradientNorm, gradientShapes, trainStep } from "../../../../server/model/trainStep.ts";
import { type Program, sizeOf, type TensorSpecs } from "../../../../server/ops/program.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import { expectClose, type Input, specsOf } from "../../../fixtures/engine.ts";
import { fiveSteps } from "../../../fixtures/fiveSteps.ts";
import { dense, mixture, routed, storeOf } from "../../../fixtures/models.ts";
import { noSwiftShader, noWebGpu } from "../../../fixtures/swiftShader.ts";
import { domains, sequences, training, trainingBatch } from "../../../fixtures/training.ts";

const many: ModelConfig = {
  ...mixture,
  moe: { ...mixture.moe!, layers: [1], experts: Array.from({ length: 20 }, (_, e) => `expert${e}`) },
};
const models: [string, ModelConfig][] = [
  ["dense", dense],
  ["top-2", mixture],
  ["top-2 of twenty experts, more than a shader has buffers", many],
  ["tied, biased mixture", { ...mixture, tiedEmbeddings: true, attentionBias: true, ffnBias: true }],
  ...Object.entries(routed),
];

function storeWith(state: Record<string, Input>): Store {
  const store = new Store();
  for (const [name, { shape, data }] of Object.entries(state)) store.set(name, shape, data.slice());
  return store;
}

/** Operators that ran, by provider, in ONNX Runtime's profile of one run. */
async function placement(program: Program, store: Store, batch: TensorSpecs): Promise<Map<string, string[]>> {
  const folder = mkdtempSync(join(tmpdir(), "btx-profile-"));
  try {
    const compiled = await compileWebGpu(program, store, batch, { profile: join(folder, "webgpu") });
    const zeros = ({ shape, dtype }: TensorSpecs[string]) =>
      dtype === "int32" ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape)).fill(1);
    await compiled.run(Object.fromEntries(Object.entries(batch).map(([name, spec]) => [name, zeros(spec)])));
    await compiled.dispose();
    const [file] = readdirSync(folder);
    const events = JSON.parse(readFileSync(join(folder, file!), "utf8")) as {
      name: string;
      args?: { provider?: string; op_name?: string };
    }[];
    const byProvider = new Map<string, string[]>();
    for (const { name, args } of events) {
      if (!args?.provider || !name.endsWith("kernel_time")) continue;
      byProvider.set(args.provider, [...(byProvider.get(args.provider) ?? []), args.op_name!]);
    }
    return byProvider;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function zeroed(store: Store, shapes: Map<string, number[]>): Store {
  for (const [name, shape] of shapes) store.set(name, shape, new Float32Array(sizeOf(shape)));
  return store;
}

const float16 = !noWebGpu && (await hasFloat16());

// In software a run takes long on a busy machine.
describe.skipIf(noWebGpu)("on WebGPU", { timeout: 300_000 }, () => {
  test.each(models)("5 training steps of a %s model give what they give on the CPU", async (_, config) => {
    const { steps, there, here } = await fiveSteps("webgpu", config);
    for (const [got, want] of steps) {
      expect(Math.abs(got.loss![0]! - want.loss![0]!) / want.loss![0]!).toBeLessThan(1e-3);
      expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
      for (const [name, values] of Object.entries(want)) expectClose(got[name]!, values, 1e-3);
    }
    for (const name of here.names()) {
      if (name.startsWith("adam."))
        expect(() => there.get(name)).toThrow(`the newest values of "${name}" are on a device`);
      expectClose((await there.read(name)).data, here.get(name).data, 1e-3);
    }
  });

  test.skipIf(!float16).each(models.slice(0, 2))(
    "5 training steps of a %s model in float16 give what they give in float16 on the CPU",
    async (_, config) => {
      const { steps } = await fiveSteps("webgpu", config, "float16");
      for (const [got, want] of steps) {
        expect(Math.abs(got.loss![0]! - want.loss![0]!) / want.loss![0]!).toBeLessThan(1e-3);
        expect(Math.abs(got.gradientNorm![0]! / want.gradientNorm![0]! - 1)).toBeLessThan(1e-2);
      }
    },
  );

  test.each<[string, Program, Store, TensorSpecs]>([
    [
      "a dense training step",
      trainStep(dense, { ...training, fewCalls: true }, domains),
      storeOf(dense, { moments: true }),
      trainingBatch(dense),
    ],
    [
      "a training step of a mixture",
      trainStep(mixture, { ...training, fewCalls: true }, domains),
      storeOf(mixture, { moments: true }),
      trainingBatch(mixture),
    ],
  ])("every operator of %s runs on the GPU, and nothing is copied in between", async (_, program, store, batch) => {
    const operators = await placement(program, store, batch);
    expect([...operators.keys()]).toEqual(["WebGpuExecutionProvider"]);
    expect(operators.get("WebGpuExecutionProvider")).toContain("Gemm");
    expect(operators.get("WebGpuExecutionProvider")!.filter((op) => /memcpy/i.test(op))).toEqual([]);
  });

  // A program with an operator that would run on the CPU is refused: see below.
  test.each(models)("every other program of a %s model is taken whole, too", async (_, config) => {
    const { moe, context } = config;
    const programs: [Program, Store, TensorSpecs][] = [
      [
        trainStep(config, { ...training, recompute: true, freeze: ["attention"] }, domains),
        storeOf(config, { moments: true }),
        trainingBatch(config),
      ],
      [
        trainStep(config, { ...training, precision: "float16", fewCalls: true }, domains),
        storeOf(config, { moments: true }),
        { ...trainingBatch(config), lossScale: { shape: [], dtype: "float32" } },
      ],
      [evaluation(config, domains), storeOf(config), sequenceBatch(config, sequences, context, { training: false })],
      [
        accumulate(config, domains, { first: false }),
        zeroed(storeOf(config), gradientShapes(config)),
        trainingBatch(config),
      ],
      // That its operators are computed in float16 needs an adapter that does: here they are only placed.
      [
        accumulate(config, domains, { first: false, precision: "float16" }),
        zeroed(storeOf(config), gradientShapes(config)),
        { ...trainingBatch(config), lossScale: { shape: [], dtype: "float32" } },
      ],
      [
        gradientNorm(config, { fewCalls: true }),
        zeroed(new Store(), gradientShapes(config)),
        { share: { shape: [], dtype: "float32" } },
      ],
      ...[1, 4].map((time): [Program, Store, TensorSpecs] => [
        decode(config, { inspected: !!moe }),
        zeroed(storeOf(config), cacheShapes(config, 2, context)),
        decodeBatch(config, 2, time, { inspected: !!moe }),
      ]),
      moe
        ? [inspection(config), storeOf(config), inspectionBatch(config, 2, 5, true)]
        : [blockInputSums(config, [0, 1]), storeOf(config), blockInputBatch(config, 2)],
      ...(moe && moe.router.balance !== "bias"
        ? [[balanceMeans(config), storeOf(config), sequenceBatch(config, sequences)] as [Program, Store, TensorSpecs]]
        : []),
    ];
    for (const [program, store, batch] of programs) await (await compileWebGpu(program, store, batch)).dispose();
  });

  const shape = [2, 2];
  const x = { shape, data: Float32Array.of(0.1, 0.2, -0.3, 0.4) };
  const start = {
    w: { shape, data: Float32Array.of(1, 2, 3, 4) },
    v: { shape, data: Float32Array.of(0.5, -1, 0.25, 2) },
  };

  test.each<[string, Program]>([
    ["of which each part depends on the other's old values", ({ w, v }) => ({ state: { w: v!, v: w! }, results: {} })],
    [
      "that is read before and after",
      ({ w }, { x }) => ({ state: { w: add(w!, x!) }, results: { old: matMul(w!, x!) } }),
    ],
    [
      "made of itself in another order",
      ({ w }, { x }) => ({ state: { w: sub(transpose(w!), matMul(w!, x!)) }, results: { sum: sum(w!) } }),
    ],
    ["that does not change", ({ w, v }) => ({ state: { v: add(w!, v!) }, results: {} })],
  ])("state %s is right after five runs", async (_, program) => {
    const [there, here] = [storeWith(start), storeWith(start)];
    const gpu = await compileWebGpu(program, there, specsOf({ x }));
    const cpu = await compile(program, here, specsOf({ x }), { threads: 1 });
    for (let step = 0; step < 5; step++) {
      const [got, want] = [await gpu.run({ x: x.data }), await cpu.run({ x: x.data })];
      for (const [name, values] of Object.entries(want)) expectClose(got[name]!, values, 1e-4);
    }
    for (const name of ["w", "v"]) expectClose((await there.read(name)).data, here.get(name).data, 1e-4);
    for (const program of [gpu, cpu]) await program.dispose();
  });

  test("programs on one store see each other's changes and the host's, and values outlive the program that made them", async () => {
    const store = storeWith({ w: start.w });
    const grow = await compileWebGpu(
      ({ w }, { x }) => ({ state: { w: add(w!, x!) }, results: {} }),
      store,
      specsOf({ x }),
    );
    await grow.run({ x: Float32Array.of(1, 1, 1, 1) });
    await grow.dispose();
    expect([...(await store.read("w")).data]).toEqual([2, 3, 4, 5]);
    const read = await compileWebGpu(({ w }) => ({ state: {}, results: { total: sum(w!) } }), store, {});
    expect([...(await read.run({})).total!]).toEqual([14]);
    store.set("w", shape, Float32Array.of(0, 0, 0, 1));
    expect([...(await read.run({})).total!]).toEqual([1]);
    expect([...store.get("w").data]).toEqual([0, 0, 0, 1]);
    await read.dispose();
  });

  test("a batch that lacks a tensor, or has one of another size, is refused, and the state stays as it was", async () => {
    const store = storeWith({ w: start.w });
    const grow = await compileWebGpu(
      ({ w }, { x }) => ({ state: { w: add(w!, x!) }, results: {} }),
      store,
      specsOf({ x }),
    );
    await expect(grow.run({})).rejects.toThrow('the batch lacks "x"');
    await expect(grow.run({ x: new Float32Array(3) })).rejects.toThrow();
    expect([...(await store.read("w")).data]).toEqual([1, 2, 3, 4]);
    await grow.dispose();
  });

  test("memory does not grow over 200 runs of which each replaces 4 MB of state", async () => {
    const store = storeWith({ w: { shape: [1024, 1024], data: new Float32Array(1024 * 1024) } });
    const grow = await compileWebGpu(({ w }) => ({ state: { w: add(w!, 1) }, results: {} }), store, {});
    // In software the GPU's memory is that of the process.
    const memory: number[] = [];
    for (let step = 1; step <= 200; step++) {
      await grow.run({});
      memory.push(process.memoryUsage.rss());
    }
    expect((await store.read("w")).data[0]).toBe(200);
    expect(memory.at(-1)! - memory[19]!).toBeLessThan(100 * 2 ** 20);
    await grow.dispose();
  });

  test("an operator that would run on the CPU is refused by name", async () => {
    const program: Program = (_, { x }) => ({
      state: {},
      results: { y: cast(transpose(greater(mul(x!, 2), 0)), "float32") },
    });
    await expect(compileWebGpu(program, new Store(), specsOf({ x }))).rejects.toThrow(
      /^operator Transpose \(".*Transpose"\) has no WebGPU kernel for its types, and falling back to the CPU is disabled$/,
    );
  });

  test.skipIf(noSwiftShader)(
    "a tensor that is larger than a buffer can be is told by name before anything runs",
    async () => {
      const program: Program = (_, { x }) => ({ state: {}, results: { y: max(tile(x!, [30_000, 10_000])) } });
      await expect(compileWebGpu(program, new Store(), specsOf({ x }))).rejects.toThrow(
        "the result of Tile [60000, 20000] takes 4.47 GB, but a buffer of this GPU holds at most 1.00 GB: lower `microBatch` or `context`, or train on the CPU",
      );
    },
  );
});
