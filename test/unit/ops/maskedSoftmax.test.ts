import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { MASKED, maskedSoftmax } from "../../../server/ops/maskedSoftmax.ts";
import { expectClose, expectGradients, randomInputs, useCpu } from "./support.ts";

describe("maskedSoftmax", () => {
  beforeAll(useCpu);
  const scores = randomInputs(10).normal([2, 2, 2, 3]);
  const mask = tf.tensor2d([
    [0, MASKED, MASKED],
    [0, 0, MASKED],
  ]);

  test("gives masked keys exactly nothing and lets the others share 1", () => {
    const p = maskedSoftmax(scores, mask).arraySync() as number[][][][];
    const s = scores.arraySync() as number[][][][];
    for (const [b, h] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      expect(p[b]![h]![0]).toEqual([1, 0, 0]);
      const [first, second, third] = p[b]![h]![1]!;
      expect(third).toBe(0);
      expectClose([first!, first! + second!], [1 / (1 + Math.exp(s[b]![h]![1]![1]! - s[b]![h]![1]![0]!)), 1]);
    }
  });

  test("takes a mask of its own for each sequence", () => {
    const own = tf.tensor4d([0, 0, MASKED, 0, 0, MASKED, MASKED, 0, 0, MASKED, 0, 0], [2, 1, 2, 3]);
    const p = maskedSoftmax(scores, own).arraySync() as number[][][][];
    expect([p[0]![1]![0]![2], p[1]![0]![1]![0]]).toEqual([0, 0]);
  });

  test("gives no NaN where every key is masked", () => {
    expectClose(maskedSoftmax(tf.zeros([1, 1, 1, 4]), tf.fill([1, 4], MASKED)), [0.25, 0.25, 0.25, 0.25]);
  });

  test("has the gradient of its value", () => {
    expectGradients((x) => maskedSoftmax(x, mask), [scores]);
  });
});
