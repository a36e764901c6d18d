import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { StopRequested } from "../../../../server/protocol/errors.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import type { Phase, SeedSpec, TrainSpec } from "../../../../server/protocol/stage.ts";
import { stagePathsIn } from "../../../../server/runs/layout.ts";
import { continued } from "../../../../server/stages/continued.ts";
import { seed } from "../../../../server/stages/seed.ts";
import { train } from "../../../../server/stages/training/train.ts";
import {
  contextOf,
  randomModel,
  savedModel,
  stageWithModel,
  temporaryFolder,
  tiny,
  training,
  untrained,
} from "../support.ts";
import { bytesOf, metrics, metricsCount, timeless, twoDomains } from "./support.ts";

const dense: ModelConfig = { ...tiny, layers: 1 };
const { vocab: _, ...shape } = dense;
const mixture: ModelConfig = {
  ...dense,
  moe: { experts: ["x", "y", "z"], layers: [0], router: { type: "top-k", k: 2, loadBalance: 0.01 } },
};
/** Six steps on both domains, then four on one, with another schedule. */
const phases: Phase[] = [
  { tokens: 6 * 4 * 16 - 5, mixture: { letters: 2, digits: 1 }, training },
  {
    tokens: 4 * 4 * 16,
    mixture: { digits: 1 },
    training: { ...training, learningRate: 3e-3, warmup: 0 },
  },
];
const totalSteps = 10;
type Continued = Exclude<TrainSpec, SeedSpec>;
const finetune: Continued = { kind: "finetune", randomSeed: 3, phases };

/** The finetuning above without a stop; made once. */
const undisturbed = once(async () => {
  const parents = { data: await twoDomains(), model: await stageWithModel(mixture, untrained(mixture, 1)) };
  const context = contextOf(finetune, { parents });
  return { parents, context, result: await continued(context) };
});

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

describe("training", () => {
  test("goes through its phases step by step and reports each", async () => {
    const { context, result } = await undisturbed();
    const lines = metrics(context.paths.folder);
    expect(lines.map(({ step, steps, tokens }) => [step, steps, tokens])).toEqual(
      Array.from({ length: totalSteps }, (_, i) => [i + 1, totalSteps, (i + 1) * 4 * 16]),
    );
    const { learningRate: peak, finalLearningRate } = training;
    const rates = lines.map(({ learningRate }) => learningRate);
    expect(rates[0]).toBeCloseTo(peak / 2, 12);
    expect(rates[1]).toBeCloseTo(peak, 12);
    expect(rates[5]).toBeCloseTo(peak * finalLearningRate, 12);
    expect(rates[9]).toBeCloseTo(3e-3 * finalLearningRate, 12);
    for (const { loss, loadBalance, gradientNorm } of lines) {
      expect(loss).toBeGreaterThan(0);
      expect(loadBalance).toBeGreaterThan(0);
      expect(gradientNorm).toBeGreaterThan(0);
    }
    expect(lines[9]!.loss).toBeLessThan(lines[0]!.loss - 0.1);
    expect(result).toMatchObject({
      steps: totalSteps,
      tokens: totalSteps * 4 * 16,
      trainingLoss: lines[9]!.loss,
    });
    expect(result.parameters).toBeGreaterThan(result.activeParameters!);
    expect(result.flops).toBeGreaterThan(6 * result.tokens! * tiny.hidden);
    expect(existsSync(context.paths.state)).toBe(false);
    const saved = await savedModel(context);
    expect(saved.config).toEqual(mixture);
  });

  test("stopped after any step and resumed gives the same bits as without a stop", async () => {
    const { parents, ...expected } = await undisturbed();
    const files = ["checkpoint/model.safetensors", "checkpoint/config.json", "routing.f32", "routing.json"];

    const folder = temporaryFolder();
    // In the first phase, at its end, in the second, after the last step.
    for (const stopAfter of [2, 6, 7, 10]) {
      let breaths = metricsCount(folder);
      const context = contextOf(finetune, { parents, folder, stopRequested: () => ++breaths >= stopAfter });
      await expect(continued(context)).rejects.toBeInstanceOf(StopRequested);
      expect(metricsCount(folder)).toBe(stopAfter);
      expect(existsSync(context.paths.checkpoint)).toBe(false);
    }
    const result = await continued(contextOf(finetune, { parents, folder }));
    expect(bytesOf(folder, ...files)).toEqual(bytesOf(expected.context.paths.folder, ...files));
    expect(metrics(folder).map(timeless)).toEqual(metrics(expected.context.paths.folder).map(timeless));
    const { tokensPerSecond: _a, ...same } = result;
    const { tokensPerSecond: _b, ...wanted } = expected.result;
    expect(same).toEqual(wanted);
  });

  test("depends on its seed of random numbers: the order of text", async () => {
    const [data, model] = [await twoDomains(), await stageWithModel(dense, untrained(dense, 1))];
    const lossesOf = async (randomSeed: number) => {
      const spec: Continued = { kind: "expert", randomSeed, phases: phases.slice(0, 1) };
      const context = contextOf(spec, { parents: { data, model } });
      await continued(context);
      return metrics(context.paths.folder).map(({ loss }) => loss);
    };
    expect(await lossesOf(3)).not.toEqual(await lossesOf(4));
  });

  test("that diverges ends with the step and the learning rate, and leaves no checkpoint", async () => {
    const [data, model] = [await twoDomains(), await stageWithModel(dense, randomModel(dense, 1))];
    const reckless = { ...training, learningRate: 1e37, clip: 0, warmup: 0, weightDecay: 1e3 };
    const spec: Continued = { kind: "expert", randomSeed: 1, phases: [{ ...phases[0]!, training: reckless }] };
    const context = contextOf(spec, { parents: { data, model } });
    await expect(continued(context)).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringMatching(
        /^the (loss|gradient norm) is (NaN|Infinity) at step \d+ \(learning rate \d\.\d+e\+3[67], (loss|gradient norm) \S+\): lower/,
      ) as string,
    });
    expect(existsSync(context.paths.checkpoint)).toBe(false);
    for (const { loss, gradientNorm } of metrics(context.paths.folder))
      expect(Number.isFinite(loss + gradientNorm)).toBe(true);
  });

  test("does not load the model it starts from when it is resumed", async () => {
    const data = await twoDomains();
    const folder = temporaryFolder();
    const job = { config: dense, phases: phases.slice(0, 1), randomSeed: 1 };
    const stopped = contextOf(finetune, { parents: { data }, folder, stopRequested: () => true });
    await expect(train(stopped, { ...job, initial: async () => untrained(dense, 1) })).rejects.toThrow(StopRequested);
    const initial = async () => {
      throw new Error("loaded");
    };
    await train(contextOf(finetune, { parents: { data }, folder }), { ...job, initial });
    expect(metricsCount(folder)).toBe(6);
  });
});

describe("the seed", () => {
  const spec: SeedSpec = { kind: "seed", model: shape, randomSeed: 5, phases: phases.slice(0, 1) };

  test("is trained from random weights, the same from the same seed of random numbers", async () => {
    const data = await twoDomains();
    const [one, other] = [contextOf(spec, { parents: { data } }), contextOf(spec, { parents: { data } })];
    expect(await seed(one)).toMatchObject({ steps: 6, tokens: 6 * 4 * 16 });
    await seed(other);
    expect((await savedModel(one)).config).toEqual(dense);
    expect(bytesOf(one.paths.checkpoint, "model.safetensors")).toEqual(
      bytesOf(other.paths.checkpoint, "model.safetensors"),
    );
    const another = contextOf({ ...spec, randomSeed: 6 }, { parents: { data } });
    await seed(another);
    expect((await savedModel(another)).tensors).not.toEqual((await savedModel(one)).tensors);
  });

  test("may be a model that is already there, with the experiment's context", async () => {
    const data = await twoDomains();
    const parameters = randomModel(dense, 1);
    const path = stagePathsIn(await stageWithModel({ ...dense, context: 64 }, parameters)).checkpoint;
    const context = contextOf({ ...spec, from: { path, sha256: "" } }, { parents: { data } });
    expect(await seed(context)).toMatchObject({ tokens: 0, flops: 0 });
    const { config, tensors } = await savedModel(context);
    expect(config).toEqual(dense);
    for (const [name, { data: values }] of tensors) expect(values).toEqual(parameters.get(name)!.data);
  });
});
