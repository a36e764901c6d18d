import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { balanceMeans, loadBalance } from "../../../server/routers/loadBalance.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "../ops/support.ts";

describe("loadBalance", () => {
  beforeAll(useCpu);
  const alike = tf.ones([2, 1]);
  const of = (gates: tf.Tensor, probabilities: tf.Tensor, weights: tf.Tensor, alpha: number) =>
    loadBalance(balanceMeans(gates, probabilities, weights), alpha);

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
    expectClose(of(gates, probabilities, alike, 0.01), [0.0189375], 1e-8);
  });

  test("is exactly alpha at perfect balance", () => {
    const gates = tf.tensor2d([
      [0.5, 0.5, 0, 0],
      [0, 0, 0.5, 0.5],
    ]);
    const [value] = values(of(gates, tf.fill([2, 4], 0.25), alike, 0.01));
    expect(value).toBe(Math.fround(0.01));
  });

  test("is alpha * E when one expert takes everything", () => {
    const all = tf.tensor2d([
      [0, 1, 0, 0],
      [0, 1, 0, 0],
    ]);
    expectClose(of(all, all, alike, 0.5), [2]);
  });

  test("multiplies means over the batch, not each token's products", () => {
    const gates = tf.tensor2d([
      [1, 0],
      [0, 1],
    ]);
    expectClose(of(gates, gates, alike, 1), [1]);
  });

  test("leaves out tokens of weight 0", () => {
    const random = randomInputs(31);
    const [gates, probabilities] = [tf.softmax(random.normal([3, 4])), tf.softmax(random.normal([3, 4]))];
    const counted = of(gates, probabilities, tf.tensor2d([[1], [0], [1]]), 0.1);
    const without = (x: tf.Tensor) => tf.gather(x, tf.tensor1d([0, 2], "int32"));
    expectClose(counted, of(without(gates), without(probabilities), alike, 0.1));
  });

  test("has a gradient through the gates and through the probabilities", () => {
    const random = randomInputs(32);
    const weights = tf.tensor2d([[1], [0.5], [2]]);
    expectGradients(
      (gates, logits) => of(gates, tf.softmax(logits), weights, 0.7),
      [random.normal([3, 4]), random.normal([3, 4])],
    );
  });

  describe("of a batch in two micro-batches", () => {
    const random = randomInputs(34);
    const gates = [random.normal([3, 4]), random.normal([3, 4])];
    const logits = [random.normal([3, 4]), random.normal([3, 4])];
    const three = tf.ones([3, 1]);
    const meansOf = (part: number, x: tf.Tensor, z: tf.Tensor) =>
      balanceMeans(part === 0 ? x : gates[1]!, tf.softmax(part === 0 ? z : logits[1]!), three);

    test("given the whole batch's means, is on average the whole batch's, and so is its gradient", () => {
      const join = (x: tf.Tensor, y: tf.Tensor) => tf.concat([x, y], 0);
      const whole = (x: tf.Tensor, z: tf.Tensor) =>
        of(join(x, gates[1]!), tf.softmax(join(z, logits[1]!)), tf.ones([6, 1]), 0.7);
      const means = [0, 1].map((part) => meansOf(part, gates[0]!, logits[0]!));
      const average = {
        gates: tf.div(tf.add(means[0]!.gates, means[1]!.gates), 2),
        probabilities: tf.div(tf.add(means[0]!.probabilities, means[1]!.probabilities), 2),
      };
      const inParts = (x: tf.Tensor, z: tf.Tensor) => {
        const parts = [0, 1].map((part) => loadBalance(meansOf(part, x, z), 0.7, average));
        return tf.div(tf.add(parts[0]!, parts[1]!), 2) as tf.Scalar;
      };
      expectClose(inParts(gates[0]!, logits[0]!), whole(gates[0]!, logits[0]!));
      const ofWhole = tf.grads(whole)([gates[0]!, logits[0]!]);
      tf.grads(inParts)([gates[0]!, logits[0]!]).forEach((gradient, i) => {
        expectClose(gradient, ofWhole[i]!, 1e-6);
      });
    });

    test("differs from the mean of the micro-batches' own", () => {
      const own = [0, 1].map((part) => values(loadBalance(meansOf(part, gates[0]!, logits[0]!), 0.7))[0]!);
      const whole = of(tf.concat(gates, 0), tf.softmax(tf.concat(logits, 0)), tf.ones([6, 1]), 0.7);
      expect(Math.abs((own[0]! + own[1]!) / 2 - values(whole)[0]!)).toBeGreaterThan(0.01);
    });
  });
});
