import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { loadBalance } from "../../../server/routers/loadBalance.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "../ops/support.ts";

describe("loadBalance", () => {
  beforeAll(useCpu);
  const alike = tf.ones([2, 1]);

  test("is alpha * E * sum of u_e p_e on an example worked out by hand", () => {
    const gates = tf.tensor2d([
      [0.75, 0.25, 0],
      [1, 0, 0],
    ]);
    const probabilities = tf.tensor2d([
      [0.6, 0.2, 0.2],
      [0.8, 0.1, 0.1],
    ]);
    // u = (0.875, 0.125, 0), p = (0.7, 0.15, 0.15): 0.01 * 3 * (0.6125 + 0.01875) = 0.0189375
    expectClose(loadBalance(gates, probabilities, alike, 0.01), [0.0189375], 1e-8);
  });

  test("is exactly alpha at perfect balance", () => {
    const gates = tf.tensor2d([
      [0.5, 0.5, 0, 0],
      [0, 0, 0.5, 0.5],
    ]);
    const [value] = values(loadBalance(gates, tf.fill([2, 4], 0.25), alike, 0.01));
    expect(value).toBe(Math.fround(0.01));
  });

  test("is alpha * E when one expert takes everything", () => {
    const all = tf.tensor2d([
      [0, 1, 0, 0],
      [0, 1, 0, 0],
    ]);
    expectClose(loadBalance(all, all, alike, 0.5), [2]);
  });

  test("multiplies means over the batch, not each token's products", () => {
    const gates = tf.tensor2d([
      [1, 0],
      [0, 1],
    ]);
    expectClose(loadBalance(gates, gates, alike, 1), [1]);
  });

  test("leaves out tokens of weight 0", () => {
    const random = randomInputs(31);
    const [gates, probabilities] = [tf.softmax(random.normal([3, 4])), tf.softmax(random.normal([3, 4]))];
    const counted = loadBalance(gates, probabilities, tf.tensor2d([[1], [0], [1]]), 0.1);
    const without = (x: tf.Tensor) => tf.gather(x, tf.tensor1d([0, 2], "int32"));
    expectClose(counted, loadBalance(without(gates), without(probabilities), alike, 0.1));
  });

  test("has a gradient through the gates and through the probabilities", () => {
    const random = randomInputs(32);
    const weights = tf.tensor2d([[1], [0.5], [2]]);
    expectGradients(
      (gates, logits) => loadBalance(gates, tf.softmax(logits), weights, 0.7),
      [random.normal([3, 4]), random.normal([3, 4])],
    );
  });
});
