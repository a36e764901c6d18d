import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { adamW, adamWInputs, clipFactor, globalNorm, learningRateAt } from "../../../server/model/optimizer.ts";
import { expectClose, randomInputs, useCpu, values } from "../ops/support.ts";
import { scalars } from "./support.ts";

const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.1 };

/** torch.optim.AdamW by its documentation's formulas, in double precision; gives the parameter after each step. */
function reference(
  start: number[],
  gradients: number[][],
  learningRate: (step: number) => number,
  weightDecay: number,
) {
  const { beta1, beta2, epsilon } = settings;
  let [p, m, v] = [start, start.map(() => 0), start.map(() => 0)] as [number[], number[], number[]];
  return gradients.map((g, i) => {
    const [step, lr] = [i + 1, learningRate(i + 1)];
    m = m.map((x, j) => beta1 * x + (1 - beta1) * g[j]!);
    v = v.map((x, j) => beta2 * x + (1 - beta2) * g[j]! ** 2);
    p = p.map((x, j) => {
      const mHat = m[j]! / (1 - beta1 ** step);
      const vHat = v[j]! / (1 - beta2 ** step);
      return x - lr * weightDecay * x - (lr * mHat) / (Math.sqrt(vHat) + epsilon);
    });
    return p;
  });
}

describe("adamW", () => {
  beforeAll(useCpu);

  for (const decaying of [true, false]) {
    test(`moves a parameter as torch.optim.AdamW does, ${decaying ? "with" : "without"} weight decay`, () => {
      const random = randomInputs(41);
      const start = random.normal([7]);
      const gradients = Array.from({ length: 6 }, () => tf.mul(random.normal([7]), 0.01));
      const rate = (step: number) => 0.01 * step;
      const expected = reference(values(start), gradients.map(values), rate, decaying ? settings.weightDecay : 0);
      let state = { param: start, m: tf.zeros([7]), v: tf.zeros([7]) };
      gradients.forEach((gradient, i) => {
        const { decay, stepSize, epsilon } = scalars(adamWInputs(i + 1, rate(i + 1), settings));
        const { beta1, beta2 } = settings;
        const common = { beta1, beta2, stepSize: stepSize!, epsilon: epsilon! };
        state = adamW(gradient, state, decaying ? { ...common, decay: decay! } : common);
        expectClose(state.param, expected[i]!, 1e-6);
      });
    });
  }

  test("uses the gradient times its scale", () => {
    const random = randomInputs(42);
    const [gradient, param] = [random.normal([3]), random.normal([3])];
    const start = { param, m: random.normal([3]), v: tf.square(random.normal([3])) };
    const { stepSize, epsilon } = scalars(adamWInputs(3, 0.1, settings));
    const common = { beta1: 0.9, beta2: 0.95, stepSize: stepSize!, epsilon: epsilon! };
    const scaled = adamW(gradient, start, { ...common, scale: tf.scalar(0.25) });
    const plain = adamW(tf.mul(gradient, 0.25), start, common);
    for (const key of ["param", "m", "v"] as const) expectClose(scaled[key], plain[key]);
  });
});

describe("gradient clipping", () => {
  beforeAll(useCpu);

  test("measures the norm over all tensors together", () => {
    expectClose(globalNorm([tf.tensor2d([[3, 0]]), tf.tensor1d([4]), tf.scalar(12)]), [13]);
  });

  test("scales long gradients down to the limit and leaves short ones as they are", () => {
    expectClose(clipFactor(tf.scalar(4), 1), [0.25], 1e-6);
    expect(values(clipFactor(tf.scalar(0.5), 1))).toEqual([1]);
    expect(values(clipFactor(tf.scalar(0), 1))).toEqual([1]);
  });
});

const schedule = { learningRate: 2, finalLearningRate: 0.1, warmup: 10 };

describe("learningRateAt", () => {
  test("rises linearly to the peak over the warm-up", () => {
    expect([1, 5, 10].map((step) => learningRateAt(step, 110, schedule))).toEqual([0.2, 1, 2]);
  });

  test("falls by half a cosine to the final share at the last step", () => {
    expect(learningRateAt(60, 110, schedule)).toBeCloseTo(2 * 0.55, 12);
    expect(learningRateAt(35, 110, schedule)).toBeCloseTo(2 * (0.1 + (0.9 * (1 + Math.SQRT1_2)) / 2), 12);
    expect(learningRateAt(110, 110, schedule)).toBeCloseTo(0.2, 12);
  });

  test("falls from the first step on without a warm-up, and never below the final share", () => {
    const cold = { ...schedule, warmup: 0 };
    expect(learningRateAt(1, 100, cold)).toBeLessThan(2);
    expect(learningRateAt(1, 100, cold)).toBeGreaterThan(1.99);
    expect(learningRateAt(200, 100, cold)).toBeCloseTo(0.2, 12);
  });

  test("is a number in the shortest runs", () => {
    expect(learningRateAt(1, 1, schedule)).toBe(0.2);
    expect(learningRateAt(1, 1, { ...schedule, warmup: 0 })).toBeCloseTo(0.2, 12);
    expect(learningRateAt(1, 1, { ...schedule, warmup: 1 })).toBe(2);
  });
});
