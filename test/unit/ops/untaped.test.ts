import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { untaped } from "../../../server/ops/untaped.ts";
import { useCpu, values } from "./support.ts";

describe("untaped", () => {
  beforeAll(useCpu);

  test("gives the value and no gradient", () => {
    const x = tf.tensor1d([1, 2, 3]);
    const f = (input: tf.Tensor) =>
      tf.mul(
        input,
        untaped(() => tf.square(input)),
      );
    expect(values(f(x))).toEqual([1, 8, 27]);
    expect(values(tf.grad((input) => tf.sum(f(input)))(x))).toEqual([1, 4, 9]);
  });

  test("lets integer decisions stand in the way of a gradient", () => {
    const x = tf.tensor2d([[3, 1, 2]]);
    const pick = (input: tf.Tensor) =>
      tf.gather(tf.reshape(input, [3]), untaped(() => tf.reshape(tf.topk(input, 2).indices, [2])) as tf.Tensor1D);
    expect(values(pick(x))).toEqual([3, 2]);
    expect(values(tf.grad((input) => tf.sum(pick(input)))(x))).toEqual([1, 0, 1]);
  });
});
