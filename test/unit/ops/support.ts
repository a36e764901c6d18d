import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { expect } from "vitest";
import { type RandomStream, randomStream } from "../../../server/model/random.ts";

/** Keeps the cpu backend from advising another one. */
tf.env().set("PROD", true);

/** The slow, plain backend that is the oracle of every test. */
export const useCpu = () => tf.setBackend("cpu");

/** Seeded random inputs. */
export function randomInputs(seed: number) {
  const random: RandomStream = randomStream(seed, "test");
  const fill = (shape: number[], next: () => number) =>
    Array.from({ length: shape.reduce((product, size) => product * size, 1) }, next);
  return {
    normal: (shape: number[]) => tf.tensor(fill(shape, random.normal), shape),
    below: (limit: number, shape: number[]) =>
      tf.tensor(
        fill(shape, () => Math.floor(random.uniform() * limit)),
        shape,
        "int32",
      ),
  };
}

export const values = (tensor: tf.Tensor): number[] => Array.from(tensor.dataSync());

export function expectClose(actual: tf.Tensor | number[], expected: tf.Tensor | number[], tolerance = 1e-5): void {
  const [a, b] = [actual, expected].map((x) => (Array.isArray(x) ? x : values(x))) as [number[], number[]];
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) {
    const allowed = tolerance * Math.max(1, Math.abs(b[i]!));
    if (!(Math.abs(a[i]! - b[i]!) <= allowed))
      throw new Error(`element ${i}: ${a[i]} is not within ${allowed} of ${b[i]}`);
  }
}

const dot = (a: tf.Tensor, b: tf.Tensor): number => {
  const [x, y] = [values(a), values(b)];
  return x.reduce((total, value, i) => total + value * y[i]!, 0);
};

type Function = (...inputs: tf.Tensor[]) => tf.Tensor;

/** Derivative of f at 0 by central differences, extrapolated (Richardson), so that float32 allows a wide step. */
export const derivative = (f: (t: number) => number, step: number): number => {
  const central = (h: number) => (f(h) - f(-h)) / (2 * h);
  return (4 * central(step) - central(2 * step)) / 3;
};

/**
 * Checks f's gradient in each input, one by one, along random directions, against finite differences of a random
 * projection of its value, added up in double precision.
 */
export function expectGradients(
  f: Function,
  inputs: tf.Tensor[],
  { step = 0.02, tolerance = 2e-3, seed = 99 } = {},
): void {
  const random = randomInputs(seed);
  const projection = random.normal(f(...inputs).shape);
  const gradients = tf.grads((...xs: tf.Tensor[]) => tf.sum(tf.mul(f(...xs), projection)))(inputs);
  inputs.forEach((input, i) => {
    for (let repeat = 0; repeat < 2; repeat++) {
      const direction = random.normal(input.shape);
      const along = (t: number) =>
        tf.tidy(() => {
          const moved = inputs.map((x, j) => (j === i ? tf.add(x, tf.mul(direction, t)) : x));
          return dot(f(...moved), projection);
        });
      const expected = derivative(along, step);
      const actual = dot(gradients[i]!, direction);
      const allowed = tolerance * Math.max(1, Math.abs(expected));
      if (!(Math.abs(actual - expected) <= allowed)) {
        throw new Error(`gradient in input ${i}: ${actual} is not within ${allowed} of ${expected}`);
      }
    }
  });
}
