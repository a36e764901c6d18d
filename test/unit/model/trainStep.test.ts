import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { losses } from "../../../server/model/loss.ts";
import { adamWInputs } from "../../../server/model/optimizer.ts";
import { decays, parameterShapes } from "../../../server/model/parameters.ts";
import type { Tensors } from "../../../server/model/program.ts";
import {
  accumulate,
  applyGradients,
  gradientName,
  gradientShapes,
  momentShapes,
  trainStep,
} from "../../../server/model/trainStep.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { expectClose, useCpu, values } from "../ops/support.ts";
import { models, randomBatch, randomParameters, scalars } from "./support.ts";

const training = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };
const dense = models["grouped queries, biases, untied"]!;
const mixed = models["Mixture-of-Experts"]!;

const zeros = (shapes: Map<string, number[]>): Tensors =>
  Object.fromEntries([...shapes].map(([name, shape]) => [name, tf.zeros(shape)]));

const untrained = (config: ModelConfig): Tensors => ({ ...randomParameters(config), ...zeros(momentShapes(config)) });

const numbers = (step: number, learningRate: number) => scalars(adamWInputs(step, learningRate, training));

describe("trainStep", () => {
  beforeAll(useCpu);

  for (const [name, config] of Object.entries({ dense, mixed })) {
    test(`lowers the loss of a batch it sees again and again: ${name}`, () => {
      const step = trainStep(config, training, 2);
      const batch = randomBatch(config, 2);
      let state = untrained(config);
      const seen = Array.from({ length: 8 }, (_, i) => {
        const { state: changed, results } = tf.tidy(() => step(state, { ...batch, ...numbers(i + 1, 0.02) }));
        state = { ...state, ...changed };
        return values(results.loss!)[0]!;
      });
      expect(seen[0]!).toBeGreaterThan(2);
      expect(seen.at(-1)!).toBeLessThan(seen[0]! / 2);
    });
  }

  test("changes every parameter and both its moments, and nothing else", () => {
    const state = untrained(mixed);
    const { state: changed } = trainStep(mixed, training, 2)(state, { ...randomBatch(mixed, 2), ...numbers(1, 0.01) });
    expect(Object.keys(changed).sort()).toEqual(Object.keys(state).sort());
    const same = Object.keys(state).filter((name) => values(changed[name]!).join() === values(state[name]!).join());
    expect(same).toEqual([]);
  });

  test("reports the loss before the update, the gradient's norm before clipping, and the routing", () => {
    const state = untrained(mixed);
    const batch = randomBatch(mixed, 2);
    const run = (clip: number) => trainStep(mixed, { ...training, clip }, 2)(state, { ...batch, ...numbers(1, 0.01) });
    const { results } = run(0.001);
    const before = losses(state, batch, mixed, 2);
    expectClose(results.loss!, before.loss);
    expectClose(results.loadBalance!, before.loadBalance!);
    expectClose(results.routedTokens!, before.routing.routedTokens!);
    expectClose(results.gradientNorm!, run(0).results.gradientNorm!);
    expect(values(results.gradientNorm!)[0]).toBeGreaterThan(0.001);
  });

  test("decays weights, but neither norms nor biases, when there is nothing to learn", () => {
    const state = untrained(dense);
    const step = trainStep(dense, { ...training, clip: 0 }, 2);
    const small = numbers(1, 0.5);
    const still = { ...small, stepSize: tf.scalar(0) };
    const { state: changed } = step(state, { ...randomBatch(dense, 2), ...still });
    for (const name of parameterShapes(dense).keys()) {
      expectClose(
        changed[name]!,
        values(state[name]!).map((x) => (decays(name) ? 0.95 * x : x)),
        1e-6,
      );
    }
  });

  test("leaves no tensor behind but those it returns", () => {
    const state = untrained(mixed);
    const batch = { ...randomBatch(mixed, 2), ...numbers(1, 0.01) };
    const step = trainStep(mixed, training, 2);
    const before = tf.memory().numTensors;
    const { state: changed, results } = tf.tidy(() => step(state, batch));
    tf.dispose([Object.values(changed), Object.values(results)]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("gradient accumulation", () => {
  beforeAll(useCpu);

  /** The batch with every target counted, so that micro-batches weigh the same. */
  const even = (size: number, seed: number): Tensors => ({
    ...randomBatch(dense, size, seed),
    weights: tf.ones([size, dense.context]),
  });

  test("over micro-batches moves the parameters as one batch of them all does", () => {
    const state: Tensors = { ...untrained(dense), ...zeros(gradientShapes(dense)) };
    const [first, second] = [even(2, 7), even(2, 8)];
    const whole = Object.fromEntries(
      Object.keys(first).map((name) => [name, tf.concat([first[name]!, second[name]!])]),
    );
    const expected = trainStep(dense, training, 2)(state, { ...whole, ...numbers(1, 0.01) });

    Object.assign(state, accumulate(dense, 2, { first: true })(state, first).state);
    Object.assign(state, accumulate(dense, 2, { first: false })(state, second).state);
    const share = tf.scalar(1 / 2);
    const { state: changed, results } = applyGradients(dense, training)(state, { ...numbers(1, 0.01), share });

    expectClose(results.gradientNorm!, expected.results.gradientNorm!, 1e-4);
    expect(Object.keys(changed).sort()).toEqual(Object.keys(expected.state).sort());
    for (const name of momentShapes(dense).keys()) expectClose(changed[name]!, expected.state[name]!, 1e-4);
    for (const name of parameterShapes(dense).keys()) expectClose(changed[name]!, expected.state[name]!, 2e-3);
  });

  test("starts afresh with the first micro-batch of a step", () => {
    const state: Tensors = { ...randomParameters(dense), ...zeros(gradientShapes(dense)) };
    const batch = even(1, 9);
    const once = accumulate(dense, 2, { first: true })(state, batch);
    const again = accumulate(dense, 2, { first: true })({ ...state, ...once.state }, batch);
    const twice = accumulate(dense, 2, { first: false })({ ...state, ...once.state }, batch);
    const name = gradientName("model.norm.weight");
    expectClose(again.state[name]!, once.state[name]!);
    expectClose(
      twice.state[name]!,
      values(once.state[name]!).map((x) => 2 * x),
    );
    expectClose(once.results.loss!, losses(state, batch, dense, 2).loss);
  });
});
