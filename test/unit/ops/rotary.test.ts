import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { rotary } from "../../../server/ops/rotary.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "./support.ts";

const [batch, time, heads, size] = [2, 3, 2, 6];
const half = size / 2;

/** Hugging Face's formula, x * cos + rotate_half(x) * sin, with cos and sin repeated over both halves. */
function reference(x: number[], cos: number[], sin: number[]): number[] {
  return x.map((value, index) => {
    const i = index % size;
    const row = Math.floor(index / (heads * size));
    const angle = row * half + (i % half);
    const rotated = i < half ? -x[index + half]! : x[index - half]!;
    return value * cos[angle]! + rotated * sin[angle]!;
  });
}

describe("rotary", () => {
  beforeAll(useCpu);
  const random = randomInputs(1);
  const x = random.normal([batch, time, heads * size]);
  const cos = random.normal([batch, time, half]);
  const sin = random.normal([batch, time, half]);

  test("turns element i with element i + d/2, as Llama does", () => {
    expectClose(rotary(x, cos, sin, heads), reference(values(x), values(cos), values(sin)));
  });

  test("keeps each head's length when the tables are cosines and sines of one angle", () => {
    const angles = random.normal([batch, time, half]);
    const turned = rotary(x, tf.cos(angles), tf.sin(angles), heads);
    const lengths = (y: tf.Tensor) => tf.sum(tf.square(tf.reshape(y, [batch * time * heads, size])), -1);
    expectClose(lengths(turned), lengths(x));
    expect(values(turned)).not.toEqual(values(x));
  });

  test("has the gradient of its value", () => {
    expectGradients((input) => rotary(input, cos, sin, heads), [x]);
  });
});
