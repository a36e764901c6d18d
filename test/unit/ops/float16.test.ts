import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { float16ToFloat32 } from "../../../server/checkpoint/dtypes.ts";
import { inFloat16, inFloat32 } from "../../../server/ops/arithmetic.ts";
import { float16, nearestFloat16 } from "../../../server/ops/float16.ts";
import { expectClose, randomInputs, useCpu, values } from "./support.ts";

/** All numbers of float16 that are not negative, ascending. */
const all = new Float32Array(0x7c00);
float16ToFloat32(
  Uint16Array.from(all, (_, bits) => bits),
  all,
);

describe("rounding to float16", () => {
  test("keeps every number that float16 has, of both signs", () => {
    for (const x of all) {
      expect(nearestFloat16(x)).toBe(x);
      expect(nearestFloat16(-x)).toBe(-x);
    }
  });

  test("takes the nearer neighbour, and of two equally near the one with an even last bit", () => {
    for (let bits = 0; bits + 1 < all.length; bits++) {
      const [low, high] = [all[bits]!, all[bits + 1]!];
      const middle = (low + high) / 2;
      expect(nearestFloat16(middle)).toBe(bits % 2 === 0 ? low : high);
      expect(nearestFloat16(middle - (high - low) / 512)).toBe(low);
      expect(nearestFloat16(middle + (high - low) / 512)).toBe(high);
    }
  });

  test("gives infinity for what is nearer to 65536 than to 65504, and keeps what is no number", () => {
    expect([65519, 65520, -65520, Infinity, -Infinity, NaN].map(nearestFloat16)).toEqual([
      65504,
      Infinity,
      -Infinity,
      Infinity,
      -Infinity,
      NaN,
    ]);
  });
});

describe("the op float16", () => {
  beforeAll(useCpu);

  test("rounds its value and its gradient", () => {
    const x = tf.tensor([1 / 3, -7.77, 1e-9]);
    const dy = tf.tensor([0.1, 1e5, 2 ** -25 * 1.1]);
    expect(values(float16(x))).toEqual([1 / 3, -7.77, 1e-9].map((value) => nearestFloat16(Math.fround(value))));
    expect(values(tf.grad(float16)(x, dy))).toEqual([nearestFloat16(Math.fround(0.1)), Infinity, 2 ** -24]);
  });
});

describe("products in float16", () => {
  beforeAll(useCpu);
  const random = randomInputs(8);
  const [a, b] = [random.normal([5, 7]), random.normal([3, 7])];
  const sizes = tf.tensor1d([2, 0, 3], "int32");
  const weights = [1, 2, 3].map(() => random.normal([4, 7]));

  test.each<[string, typeof inFloat32, tf.Tensor[], (of: typeof inFloat32) => (...x: tf.Tensor[]) => tf.Tensor]>([
    ["a product", inFloat16, [a, b], (of) => (x, w) => of.matMul(x!, w!, false, true)],
    [
      "a grouped product",
      inFloat16,
      [a, ...weights],
      (of) =>
        (x, ...w) =>
          of.groupedMatMul(x!, sizes, w),
    ],
  ])("%s has the value and the gradients of float32 but for rounding, which shows", (_, half, inputs, product) => {
    const projection = random.normal(product(half)(...inputs).shape);
    const gradients = (of: typeof inFloat32) =>
      tf.grads((...x: tf.Tensor[]) => tf.sum(tf.mul(product(of)(...x), projection)))(inputs);
    const pairs = [
      [product(half)(...inputs), product(inFloat32)(...inputs)],
      ...gradients(half).map((gradient, i) => [gradient, gradients(inFloat32)[i]!]),
    ] as [tf.Tensor, tf.Tensor][];
    for (const [got, want] of pairs) {
      expect(got.shape).toEqual(want.shape);
      expectClose(got, want, 4e-3);
      expect(values(got)).toEqual(values(got).map(nearestFloat16));
    }
    expect(values(pairs[0]![0])).not.toEqual(values(pairs[0]![1]));
  });
});
