import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { groupedMatMul } from "../../../server/ops/groupedMatMul.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "./support.ts";

const [width, outWidth, experts] = [3, 4, 3];

function reference(x: number[][], sizes: number[], weights: number[][][], transposeW: boolean): number[] {
  const expertOfRow = sizes.flatMap((size, expert) => Array.from({ length: size }, () => expert));
  return x.flatMap((row, s) =>
    Array.from({ length: outWidth }, (_, f) => {
      const w = weights[expertOfRow[s]!]!;
      return row.reduce((total, value, d) => total + value * (transposeW ? w[f]![d]! : w[d]![f]!), 0);
    }),
  );
}

describe("groupedMatMul", () => {
  beforeAll(useCpu);
  const random = randomInputs(6);
  const x = random.normal([6, width]);
  const stored = Array.from({ length: experts }, () => random.normal([outWidth, width]));
  const turned = Array.from({ length: experts }, () => random.normal([width, outWidth]));

  for (const sizes of [
    [2, 1, 3],
    [0, 6, 0],
    [6, 0, 0],
    [3, 0, 3],
  ]) {
    const counts = tf.tensor1d(sizes, "int32");
    test(`multiplies each group by its own weights, with ${sizes} rows a group`, () => {
      const rows = x.arraySync() as number[][];
      const matrices = (weights: tf.Tensor[]) => weights.map((w) => w.arraySync() as number[][]);
      expectClose(groupedMatMul(x, counts, stored), reference(rows, sizes, matrices(stored), true));
      expectClose(groupedMatMul(x, counts, turned, false), reference(rows, sizes, matrices(turned), false));
    });

    test(`has the gradient of its value in the rows and all weights, with ${sizes} rows a group`, () => {
      expectGradients((rows, ...weights) => groupedMatMul(rows, counts, weights), [x, ...stored]);
      expectGradients((rows, ...weights) => groupedMatMul(rows, counts, weights, false), [x, ...turned]);
    });
  }

  test("gives a group without rows a gradient of zeros", () => {
    const sizes = tf.tensor1d([0, 6, 0], "int32");
    const gradients = tf.grads((...weights: tf.Tensor[]) => tf.sum(groupedMatMul(x, sizes, weights)))(stored);
    expect(values(gradients[0]!).every((value) => value === 0)).toBe(true);
    expect(values(gradients[1]!).some((value) => value !== 0)).toBe(true);
    expect(gradients.map((gradient) => gradient.shape)).toEqual(stored.map((weight) => weight.shape));
  });

  test("gives 0 for rows of a last group that has no weights, and no gradient for them", () => {
    const sizes = tf.tensor1d([2, 0, 1, 3], "int32");
    const rows = x.arraySync() as number[][];
    const matrices = stored.map((weight) => weight.arraySync() as number[][]);
    const expected = reference(rows.slice(0, 3), [2, 0, 1], matrices, true);
    expectClose(groupedMatMul(x, sizes, stored), [...expected, ...Array<number>(3 * outWidth).fill(0)]);
    expectGradients((given, ...weights) => groupedMatMul(given, sizes, weights), [x, ...stored]);
    const gradient = tf.grad((given: tf.Tensor) => tf.sum(groupedMatMul(given, sizes, stored)))(x);
    expect(values(gradient).slice(3 * width)).toEqual(Array<number>(3 * width).fill(0));
  });

  test("takes no rows at all", () => {
    const none = groupedMatMul(tf.zeros([0, width]), tf.tensor1d([0, 0, 0], "int32"), stored);
    expect(none.shape).toEqual([0, outWidth]);
  });

  test("refuses sizes that do not add up to the rows", () => {
    expect(() => groupedMatMul(x, tf.tensor1d([1, 2, 2], "int32"), stored)).toThrow(
      "add up to 5, but there are 6 rows",
    );
  });
});
