import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { deviceFailure } from "../../../../server/engine/deviceFailure.ts";
import type { Engine } from "../../../../server/engine/engine.ts";
import { cpuEngine } from "../../../../server/engine/onnx/engine.ts";
import { withDeviceErrors } from "../../../../server/engine/open.ts";
import { FINAL_NORM } from "../../../../server/parameters/names.ts";
import { StopRequested, UserError } from "../../../../server/protocol/errors.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import type { Phase } from "../../../../server/protocol/stage.ts";
import { train } from "../../../../server/stages/training/train.ts";
import { assertFiniteStep, assertFiniteTensor } from "../../../../server/stages/training/trainingErrors.ts";
import { contextOf, temporaryFolder, tiny, training, untrained } from "../support.ts";
import { bytesOf, metricsCount, twoDomains } from "./support.ts";

const config: ModelConfig = { ...tiny, layers: 1 };
const phases: Phase[] = [{ tokens: 6 * 4 * 16, mixture: { letters: 1, digits: 1 }, training }];
const spec = { kind: "expert" as const, randomSeed: 3, phases };
const data = twoDomains();

/** Trains in `folder` on an engine, until it is done or `stopAfter` steps are. */
async function trained(folder: string, engine: Engine, stopAfter = Number.POSITIVE_INFINITY) {
  let breaths = metricsCount(folder);
  const stopRequested = () => ++breaths >= stopAfter;
  const context = contextOf(spec, { parents: { data: await data }, folder, engine, stopRequested });
  return train(context, { config, initial: async () => untrained(config, 1), phases, randomSeed: 3 });
}

/** The processor, with something that happens after each run of a program. */
function disturbed(after: (store: Parameters<Engine["compile"]>[1], runs: number) => void): Engine {
  const engine = cpuEngine(1);
  return {
    ...engine,
    device: "cuda:1",
    description: "NVIDIA H100",
    async compile(program, store, ...rest) {
      const made = await engine.compile(program, store, ...rest);
      let runs = 0;
      const run: typeof made.run = async (batch) => {
        const results = await made.run(batch);
        after(store, ++runs);
        return results;
      };
      return { run, dispose: () => made.dispose() };
    },
  };
}

describe("a device that fails in training", () => {
  const failing = (message: string) =>
    withDeviceErrors(
      disturbed((_, runs) => {
        if (runs === 2) throw new Error(message);
      }),
    );

  test("ends it with a sentence that names the device; on another it goes on to the same bits", async () => {
    const [folder, undisturbed] = [temporaryFolder(), temporaryFolder()];
    await trained(undisturbed, cpuEngine(1));
    await expect(trained(folder, cpuEngine(1), 2)).rejects.toBeInstanceOf(StopRequested);
    await expect(trained(folder, failing("A device was lost: VK_ERROR_DEVICE_LOST\n  at x"))).rejects.toEqual(
      new UserError(
        "the device cuda:1 (NVIDIA H100) was lost: A device was lost: VK_ERROR_DEVICE_LOST; the last checkpoint is kept: resume the run with `btx resume`, on another device with `--device`",
      ),
    );
    expect(metricsCount(folder)).toBe(3);
    await trained(folder, cpuEngine(1));
    const file = "checkpoint/model.safetensors";
    expect(bytesOf(folder, file)).toEqual(bytesOf(undisturbed, file));
  });

  test.each([
    "CUDA failure 2: out of memory ; GPU=0",
    "VK_ERROR_OUT_OF_DEVICE_MEMORY",
    "Failed to allocate memory for requested buffer of size 1024",
  ])("is said to have no more memory: %s", async (message) => {
    await expect(trained(temporaryFolder(), failing(message))).rejects.toThrow(
      /^the device cuda:1 \(NVIDIA H100\) ran out of memory; .* or lower `microBatch` and run again$/,
    );
  });

  test("is not blamed for other mistakes", () => {
    const error = new Error('the batch lacks "tokens"');
    expect(deviceFailure(error, "cuda:0", "x")).toBe(error);
    const told = new UserError("the loss is NaN");
    expect(deviceFailure(told, "cuda:0", "x")).toBe(told);
  });
});

describe("numbers that are none", () => {
  test.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ])("are never saved: parameters that a step made %s end training, and the last good state stays", async (bad) => {
    const folder = temporaryFolder();
    await expect(trained(folder, cpuEngine(1), 2)).rejects.toBeInstanceOf(StopRequested);
    const good = bytesOf(folder, "state.safetensors");
    const poison = disturbed((store) => {
      store.get(FINAL_NORM).data[3] = bad;
    });
    await expect(trained(folder, poison, 3)).rejects.toThrow(
      /^"model\.norm\.weight" contains NaN or infinity after step 3 \(learning rate 0\.00\d+, gradient norm \d.*\): lower the learning rate, then run again; the last checkpoint is kept$/,
    );
    expect(bytesOf(folder, "state.safetensors")).toEqual(good);
  });

  test("are in no finished model", async () => {
    const folder = temporaryFolder();
    const poison = disturbed((store, runs) => {
      if (runs === 6) store.get(FINAL_NORM).data[0] = Number.NaN;
    });
    await expect(trained(folder, poison)).rejects.toThrow(/^"model\.norm\.weight" contains NaN or infinity/);
    expect(existsSync(contextOf(spec, { folder }).paths.checkpoint)).toBe(false);
  });

  test("are told with the step, the learning rate, and the loss or the gradient norm that goes with it", () => {
    const step = { step: 7, learningRate: 0.01, loss: 2.5, gradientNorm: 3 };
    expect(() => assertFiniteStep(step)).not.toThrow();
    expect(() => assertFiniteStep({ ...step, loss: Number.NaN })).toThrow(
      /^the loss is NaN at step 7 \(learning rate 0\.0100, gradient norm 3\.00\): lower the learning rate/,
    );
    expect(() => assertFiniteStep({ ...step, gradientNorm: Number.POSITIVE_INFINITY })).toThrow(
      /^the gradient norm is Infinity at step 7 \(learning rate 0\.0100, loss 2\.50\)/,
    );
    expect(() => assertFiniteStep({ ...step, loss: Number.NaN, float16: true })).toThrow(
      /: lower the learning rate or set `precision: float32`, then run again; the last checkpoint is kept$/,
    );
  });

  test("are found anywhere in a tensor; large and small numbers are numbers", () => {
    const values = new Float32Array(1000).fill(3.4e38);
    values[1] = -1e-45;
    expect(() => assertFiniteTensor("w", values)).not.toThrow();
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      for (const place of [0, 500, 999])
        expect(() => assertFiniteTensor("w", values.with(place, bad))).toThrow(/^"w" contains NaN or infinity/);
  });
});
