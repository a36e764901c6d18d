import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Engine } from "../../../../server/engine/engine.ts";
import { cpuEngine } from "../../../../server/engine/onnx/engine.ts";
import { openEngine } from "../../../../server/engine/open.ts";
import type { Values } from "../../../../server/ops/program.ts";
import { StopRequested, UserError } from "../../../../server/protocol/errors.ts";
import type { ModelConfig, RouterConfig } from "../../../../server/protocol/model.ts";
import type { Phase } from "../../../../server/protocol/stage.ts";
import { LossScale, type LossScaleState } from "../../../../server/stages/training/lossScale.ts";
import { nextToken } from "../../../../server/stages/training/nextToken.ts";
import { openOptimizer } from "../../../../server/stages/training/optimizer.ts";
import { beginMoments, stateNames } from "../../../../server/stages/training/phases.ts";
import type { StepResult } from "../../../../server/stages/training/stepResult.ts";
import { train } from "../../../../server/stages/training/train.ts";
import { ints } from "../../../fixtures/engine.ts";
import { dense, mixture, storeOf } from "../../../fixtures/models.ts";
import { noSwiftShader } from "../../../fixtures/swiftShader.ts";
import { contextOf, temporaryFolder, tiny, training, untrained } from "../support.ts";
import { bytesOf, metrics, metricsCount, timeless, twoDomains } from "./support.ts";

/** The processor, which computes in float16 for a test; a program's gradients overflow where `overflows` says so. */
function processor(overflows: (lossScale: number) => boolean = () => false): Engine {
  const engine = cpuEngine(1);
  return {
    ...engine,
    whyNotFloat16: async () => undefined,
    async compile(program, store, batch, options) {
      const made = await engine.compile(program, store, batch, options);
      const poisoned = (inputs: Record<string, Values>) => inputs.lossScale && overflows(inputs.lossScale[0]!);
      const run: typeof made.run = async (inputs) => {
        const results = await made.run(inputs);
        const gradient = store.names().find((name) => name.startsWith("gradient."));
        if (poisoned(inputs)) store.get(gradient!).data[0] = Number.POSITIVE_INFINITY;
        return results;
      };
      return { run, dispose: () => made.dispose() };
    },
  };
}

interface Options {
  precision?: "float16";
  microBatch?: number;
  engine?: Engine;
  lossScale?: LossScale;
  count?: number;
}

async function steps(config: ModelConfig, { precision, microBatch = 4, engine, lossScale, count = 5 }: Options) {
  const store = storeOf(config);
  beginMoments(store, config);
  const { step, dispose } = await openOptimizer(
    store,
    {
      config,
      training: { ...training, microBatch, ...(precision ? { precision } : {}) },
      domains: 2,
      engine: engine ?? cpuEngine(1),
      steps: 10,
      randomSeed: 1,
      ...(precision ? { lossScale: lossScale ?? new LossScale() } : {}),
    },
    nextToken,
  );
  const results: StepResult[] = [];
  for (let i = 1; i <= count; i++) {
    const windows = ints([4, config.context + 1], i, config.vocab).data as Int32Array;
    results.push(await step({ windows, domain: Int32Array.of(0, 1, 1, 0) }, i, 5e-3));
  }
  await dispose();
  return { store, results };
}

const overBatch: RouterConfig = { type: "top-k", k: 2, loadBalance: 0.01, balanceOver: "batch" };

describe("5 training steps in float16 give the losses of float32 within 1e-2", () => {
  test.each<[string, ModelConfig, number]>([
    ["dense", dense, 4],
    ["dense, in micro-batches", dense, 2],
    ["a mixture", mixture, 4],
    [
      "a mixture that balances over the batch, in micro-batches",
      { ...mixture, moe: { ...mixture.moe!, router: overBatch } },
      2,
    ],
  ])("%s", async (_, config, microBatch) => {
    const half = await steps(config, { precision: "float16", microBatch });
    const full = await steps(config, { microBatch });
    half.results.forEach((got, i) => {
      const want = full.results[i]!;
      expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
      expect(Math.abs(got.loss / want.loss - 1)).toBeLessThan(1e-2);
      expect(Math.abs(got.gradientNorm / want.gradientNorm - 1)).toBeLessThan(2e-2);
    });
    // It is computed otherwise, and learns.
    expect(half.results.map(({ loss }) => loss)).not.toEqual(full.results.map(({ loss }) => loss));
    expect(half.store.names().sort()).toEqual(stateNames(config).sort());
  });
});

describe("the loss scale", () => {
  test.each([
    ["of a whole batch", 4, 2 ** 60, undefined],
    ["of one of two micro-batches", 2, 2 ** 16, processor((scale) => scale > 2 ** 13)],
  ])("is halved until gradients %s do not overflow, and the step is then what it would have been with that scale", async (_, microBatch, scale, engine) => {
    const asked = { precision: "float16", microBatch, count: 2 } as const;
    const lowered = new LossScale({ scale, steps: 0 });
    const found = await steps(dense, { ...asked, lossScale: lowered, ...(engine ? { engine } : {}) });
    const end = lowered.state.scale;
    expect(end).toBeLessThan(scale);
    const low = new LossScale({ scale: end, steps: 5 });
    const wanted = await steps(dense, { ...asked, lossScale: low });
    expect(found.results).toEqual(wanted.results);
    for (const name of stateNames(dense)) expect(found.store.get(name).data).toEqual(wanted.store.get(name).data);
    expect(lowered.state).toEqual({ scale: end, steps: 2 });
    expect(low.state).toEqual({ scale: end, steps: 7 });
    if (engine) expect(end).toBe(2 ** 13);
  });

  test("of 1 is not lowered: gradients that overflow all the same are told, and change nothing", async () => {
    const lossScale = new LossScale();
    const { store, results } = await steps(dense, {
      precision: "float16",
      microBatch: 2,
      lossScale,
      engine: processor(() => true),
      count: 1,
    });
    expect(results[0]!.gradientNorm).toBe(Number.POSITIVE_INFINITY);
    expect(results[0]!.loss).toBeGreaterThan(0);
    expect(lossScale.state.scale).toBe(1);
    const untouched = storeOf(dense);
    for (const name of untouched.names()) expect(store.get(name).data).toEqual(untouched.get(name).data);
  });

  test("is doubled after 2,000 good steps in a row", () => {
    const scale = new LossScale();
    const counted = (count: number): LossScaleState => {
      for (let i = 0; i < count; i++) scale.count();
      return scale.state;
    };
    expect(counted(1999)).toEqual({ scale: 65536, steps: 1999 });
    expect(counted(1)).toEqual({ scale: 131072, steps: 0 });
    expect(counted(1500)).toEqual({ scale: 131072, steps: 1500 });
    expect(scale.lower()).toBe(true);
    expect(counted(1999)).toEqual({ scale: 65536, steps: 1999 });
    expect(counted(1)).toEqual({ scale: 131072, steps: 0 });
  });
});

describe("training in float16", () => {
  const config: ModelConfig = { ...tiny, moe: { experts: ["x", "y", "z"], layers: [0, 1], router: overBatch } };
  const phaseOf = (precision?: "float16"): Phase => ({
    tokens: 4 * 4 * 16,
    mixture: { letters: 2, digits: 1 },
    training: { ...training, microBatch: 2, ...(precision ? { precision } : {}) },
  });
  const phases = [phaseOf("float16"), phaseOf(), phaseOf("float16")];
  const spec = { kind: "finetune" as const, randomSeed: 3, phases };
  const job = { config, initial: async () => untrained(config, 1), phases, randomSeed: 3 };
  const data = twoDomains();

  /** Trains to the end, in one go or stopped after some steps; what the log has of overflows. */
  async function trained(stops: number[] = []) {
    const folder = temporaryFolder();
    const logged: string[] = [];
    for (const stopAfter of [...stops, Number.POSITIVE_INFINITY]) {
      let breaths = metricsCount(folder);
      const stopRequested = () => ++breaths >= stopAfter;
      // The first steps of a process overflow no more than others: what the scale was must have been saved.
      const engine = processor((scale) => scale > 2 ** 12);
      const context = contextOf(spec, { parents: { data: await data }, folder, engine, stopRequested });
      const work = train({ ...context, log: (text) => /overflow/.test(text) && logged.push(text) }, job);
      if (stopAfter < Number.POSITIVE_INFINITY) await expect(work).rejects.toBeInstanceOf(StopRequested);
      else await work;
    }
    return { folder, logged };
  }

  test("stopped after any step and resumed gives the same bits, and each overflow is logged once", async () => {
    const whole = await trained();
    const resumed = await trained([1, 3, 4, 6, 8, 10]);
    const files = ["checkpoint/model.safetensors", "routing.f32"];
    expect(bytesOf(resumed.folder, ...files)).toEqual(bytesOf(whole.folder, ...files));
    expect(metrics(resumed.folder).map(timeless)).toEqual(metrics(whole.folder).map(timeless));
    expect(resumed.logged).toEqual(whole.logged);
    expect(whole.logged).toEqual(
      [1, 9].map(
        (step) => `step ${step}: float16 gradients overflowed with loss scale 65536: recomputed with loss scale 4096`,
      ),
    );
  });

  test("is refused on a device that has none, in one sentence, before anything is done", async () => {
    const folder = temporaryFolder();
    const context = contextOf(spec, { parents: { data: await data }, folder });
    const { description } = cpuEngine(1);
    await expect(train(context, job)).rejects.toEqual(
      new UserError(
        `\`precision: float16\` is not available on cpu (${description}): float16 is not faster on a CPU; set \`precision: float32\`, or name another device in \`devices\``,
      ),
    );
    expect(existsSync(context.paths.metrics)).toBe(false);
  });

  test.skipIf(noSwiftShader)("is refused on an adapter that offers none", { timeout: 60_000 }, async () => {
    const engine = await openEngine({ engine: "onnx", device: "webgpu" }, { threads: 1, name: "SwiftShader" });
    const context = contextOf(spec, { parents: { data: await data }, engine });
    await expect(train(context, job)).rejects.toThrow(
      /^`precision: float16` is not available on webgpu \(SwiftShader\): its driver does not support float16/,
    );
  });
});
