import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { evaluation, losses, sequenceBatch } from "../../../server/model/loss.ts";
import { trainedShapes } from "../../../server/model/parameters.ts";
import type { Tensors } from "../../../server/ops/program.ts";
import { expertsPerToken } from "../../../server/protocol/model.ts";
import { derivative, expectClose, randomInputs, useCpu, values } from "../ops/support.ts";
import { referenceLogits, softmax } from "./reference.ts";
import { models, randomBatch, randomParameters, toWeights } from "./support.ts";

/** A parameter's name without its layer and expert: what is moved together. */
const kindOf = (name: string): string => name.replaceAll(/\.\d+\./g, ".*.");

/** Seeds with which no token changes its expert, which would be a step in the loss, as the parameters are moved a little. */
const seeds: Record<string, number> = { "Switch routing": 4 };

describe("losses", () => {
  beforeAll(useCpu);

  for (const [name, config] of Object.entries(models)) {
    test(`have the gradient of their value in every parameter: ${name}`, () => {
      const params = randomParameters(config, seeds[name]);
      const batch = randomBatch(config, 2);
      const names = [...trainedShapes(config).keys()];
      const total = (...tensors: tf.Tensor[]) =>
        losses({ ...params, ...Object.fromEntries(names.map((key, i) => [key, tensors[i]!])) }, batch, config, 2).total;
      const inputs = names.map((key) => params[key]!);
      const gradients = tf.grads(total)(inputs);
      const random = randomInputs(5);
      for (const kind of new Set(names.map(kindOf))) {
        const directions = inputs.map((x, i) => (kindOf(names[i]!) === kind ? random.normal(x.shape) : undefined));
        const along = (t: number) =>
          tf.tidy(() => {
            const moved = inputs.map((x, i) => (directions[i] ? tf.add(x, tf.mul(directions[i], t)) : x));
            return values(total(...moved))[0]!;
          });
        const expected = derivative(along, 3e-3);
        const parts = directions.flatMap((direction, i) =>
          direction ? [values(tf.sum(tf.mul(gradients[i]!, direction)))[0]!] : [],
        );
        const actual = parts.reduce((sum, part) => sum + part, 0);
        expect(Math.abs(actual - expected), kind).toBeLessThanOrEqual(2e-3 + 0.01 * Math.abs(expected));
      }
    });
  }

  test("average the log-likelihood over the targets that count, in nats", () => {
    const config = models["grouped queries, biases, untied"]!;
    const params = randomParameters(config);
    const batch = randomBatch(config, 2);
    const weights = toWeights(params);
    const [tokens, targets, counts] = [batch.tokens!, batch.targets!, batch.weights!].map(
      (tensor) => tensor.arraySync() as number[][],
    ) as [number[][], number[][], number[][]];
    const nll = tokens.flatMap((row, b) =>
      referenceLogits(weights, row, config).map((scores, t) => -Math.log(softmax(scores)[targets[b]![t]!]!)),
    );
    const counted = nll.filter((_, n) => counts.flat()[n] === 1);
    expect(counted.length).toBeLessThan(nll.length);
    const result = losses(params, batch, config, 2);
    expectClose(result.loss, [counted.reduce((sum, value) => sum + value, 0) / counted.length]);
    expectClose(evaluation(config, 2)(params, batch).results.nll!, nll);
    expect(values(result.total)).toEqual(values(result.loss));
  });

  test("add the routers' load balancing to what is minimised", () => {
    const config = models["Mixture-of-Experts"]!;
    const result = losses(randomParameters(config), randomBatch(config, 2), config, 2);
    expect(values(result.auxiliary.loadBalance!)[0]).toBeGreaterThan(0);
    expectClose(result.total, [values(result.loss)[0]! + values(result.auxiliary.loadBalance!)[0]!]);
  });
});

describe("padding", () => {
  beforeAll(useCpu);

  test.each(
    Object.entries(models),
  )("counts neither in losses nor in statistics, and takes no expert's place: %s", (_, config) => {
    const params = randomParameters(config);
    const batch = randomBatch(config, 3);
    // Nobody sees the last token of a sequence but itself.
    const atLast = (x: tf.Tensor, change: (value: number) => number) =>
      tf.tensor2d(
        (x.arraySync() as number[][]).map((row) => row.with(-1, change(row.at(-1)!))),
        undefined,
        x.dtype as "float32" | "int32",
      );
    const weights = atLast(batch.weights!, () => 0);
    const other = atLast(batch.tokens!, (token) => (token + 4) % config.vocab);
    for (const mode of ["training", "evaluation"] as const) {
      const of = (tokens: tf.Tensor) => losses(params, { ...batch, weights, tokens }, config, 2, { mode });
      const [one, two] = [of(batch.tokens!), of(other)];
      expectClose(two.total, one.total, 1e-6);
      expect(Object.keys(two.routing)).toEqual(Object.keys(one.routing));
      for (const [name, statistic] of Object.entries(one.routing)) expectClose(two.routing[name]!, statistic, 1e-6);
    }
  });
});

describe("routing statistics", () => {
  beforeAll(useCpu);
  const config = models["Mixture-of-Experts"]!;

  test("count, by layer, domain and expert, the tokens routed and their gates", () => {
    const batch: Tensors = { ...randomBatch(config, 3), domain: tf.tensor1d([1, 0, 1], "int32") };
    const { routedTokens, gateMass } = evaluation(config, 3)(randomParameters(config), batch).results;
    expect(routedTokens!.shape).toEqual([2, 3, 3]);
    const counts = (batch.weights!.arraySync() as number[][]).map((row) =>
      row.reduce((sum, weight) => sum + weight, 0),
    );
    const tokens = [counts[1]!, counts[0]! + counts[2]!, 0];
    const k = expertsPerToken(config.moe!, 0);
    expectClose(
      tf.sum(routedTokens!, -1),
      [...tokens, ...tokens].map((count) => count * k),
    );
    expectClose(tf.sum(gateMass!, -1), [...tokens, ...tokens]);
    const [routed, mass] = [values(routedTokens!), values(gateMass!)];
    expect(routed.every((count, i) => Number.isInteger(count) && mass[i]! <= count)).toBe(true);
  });

  test("count the tokens an expert was too full for, and those it took without them", () => {
    const full = models["Switch routing"]!;
    const params = randomParameters(full);
    const batch = {
      ...randomBatch(full, 3),
      weights: tf.ones([3, full.context]),
      domain: tf.tensor1d([1, 0, 1], "int32"),
    };
    const { routing } = losses(params, batch, full, 2);
    const [routed, dropped] = [routing.routedTokens!, routing.droppedTokens!];
    expect(dropped.shape).toEqual([2, 2, 3]);
    // Domain 0 has one sequence, domain 1 two; an expert takes ceil(0.75 * 18 / 3) = 5 tokens.
    expectClose(tf.sum(tf.add(routed, dropped), -1), [6, 12, 6, 12]);
    const [taken, lost] = [tf.sum(routed, 1), tf.sum(dropped, 1)].map(values) as [number[], number[]];
    expect(Math.max(...lost)).toBeGreaterThan(0);
    taken.forEach((count, i) => {
      if (lost[i]! > 0) expect(count).toBe(5);
      else expect(count).toBeLessThanOrEqual(5);
    });
    expect(values(routing.gateMass!).every((mass, i) => mass <= values(routed)[i]!)).toBe(true);
    expect(losses(params, batch, full, 2, { mode: "evaluation" }).routing).not.toHaveProperty("droppedTokens");
  });

  test("follow the router's choices one sequence at a time", () => {
    const params = randomParameters(config);
    const whole = {
      ...randomBatch(config, 2),
      weights: tf.ones([2, config.context]),
      domain: tf.tensor1d([0, 1], "int32"),
    };
    const both = evaluation(config, 2)(params, whole).results.routedTokens!;
    [0, 1].forEach((sequence) => {
      const one = Object.fromEntries(
        Object.entries({ ...whole, domain: tf.tensor1d([0, 0], "int32") }).map(([name, x]) => [
          name,
          tf.slice(x, [sequence], [1]),
        ]),
      );
      const alone = evaluation(config, 1)(params, one).results.routedTokens!;
      expect(values(alone)).toEqual(values(tf.slice(both, [0, sequence, 0], [2, 1, 3])));
    });
  });
});

test("a batch has domains where there are experts", () => {
  const dense = models["grouped queries, biases, untied"]!;
  expect(Object.keys(sequenceBatch(dense, 4))).toEqual(["tokens", "targets", "weights"]);
  expect(sequenceBatch(models["Mixture-of-Experts"]!, 4)).toMatchObject({
    tokens: { shape: [4, 6], dtype: "int32" },
    weights: { shape: [4, 6], dtype: "float32" },
    domain: { shape: [4], dtype: "int32" },
  });
});

test("a batch has noise where routers draw, progress where they learn, and means where it is asked for them", () => {
  const [plain, drawing] = [models["Mixture-of-Experts"]!, models["sampled top-1 routing"]!];
  expect(sequenceBatch(drawing, 4)).toMatchObject({
    noise: { shape: [2, 24, 3], dtype: "float32" },
    progress: { shape: [], dtype: "float32" },
  });
  const evaluated = sequenceBatch(drawing, 4, 5, { training: false });
  expect(evaluated.noise!.shape).toEqual([2, 20, 3]);
  expect(evaluated).not.toHaveProperty("progress");
  expect(Object.keys(sequenceBatch(plain, 4))).toEqual(["tokens", "targets", "weights", "domain"]);
  expect(sequenceBatch(plain, 4, 6, { means: true })).toMatchObject({
    meanGates: { shape: [2, 3], dtype: "float32" },
    meanProbabilities: { shape: [2, 3], dtype: "float32" },
  });
});
