import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, test } from "vitest";
import { zLoss } from "../../../server/routers/zLoss.ts";
import { expectClose, expectGradients, randomInputs, useCpu } from "../ops/support.ts";

describe("zLoss", () => {
  beforeAll(useCpu);

  test("is the mean of the squared logarithm of the sum of exponentials, by weight", () => {
    const rows = [
      [1, -2, 0.5],
      [90, 3, 4],
      [0, 0, 0],
    ];
    const squares = rows.map((row) => Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) ** 2);
    const of = (weights: number[]) => zLoss(tf.tensor2d(rows), tf.tensor2d(weights, [3, 1]), 0.1);
    expectClose(of([1, 1, 1]), [(0.1 * (squares[0]! + squares[1]! + squares[2]!)) / 3]);
    expectClose(of([2, 0, 1]), [(0.1 * (2 * squares[0]! + squares[2]!)) / 3]);
  });

  test("is finite for logits whose exponentials are not", () => {
    expectClose(zLoss(tf.tensor2d([[1000, -1000]]), tf.ones([1, 1]), 1), [1e6]);
  });

  test("has the gradient of its value in the logits", () => {
    const weights = tf.tensor2d([[1], [0], [2], [0.5]]);
    expectGradients((z) => zLoss(z, weights, 0.3), [tf.mul(randomInputs(41).normal([4, 5]), 2)]);
  });
});
