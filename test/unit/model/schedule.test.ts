import { describe, expect, test } from "vitest";
import { learningRateAt } from "../../../server/model/schedule.ts";

const settings = { learningRate: 2, finalLearningRate: 0.1, warmup: 10 };

describe("learningRateAt", () => {
  test("rises linearly to the peak over the warm-up", () => {
    expect([1, 5, 10].map((step) => learningRateAt(step, 110, settings))).toEqual([0.2, 1, 2]);
  });

  test("falls by half a cosine to the final share at the last step", () => {
    expect(learningRateAt(60, 110, settings)).toBeCloseTo(2 * 0.55, 12);
    expect(learningRateAt(35, 110, settings)).toBeCloseTo(2 * (0.1 + (0.9 * (1 + Math.SQRT1_2)) / 2), 12);
    expect(learningRateAt(110, 110, settings)).toBeCloseTo(0.2, 12);
  });

  test("falls from the first step on without a warm-up, and never below the final share", () => {
    const cold = { ...settings, warmup: 0 };
    expect(learningRateAt(1, 100, cold)).toBeLessThan(2);
    expect(learningRateAt(1, 100, cold)).toBeGreaterThan(1.99);
    expect(learningRateAt(200, 100, cold)).toBeCloseTo(0.2, 12);
  });

  test("is a number in the shortest runs", () => {
    expect(learningRateAt(1, 1, settings)).toBe(0.2);
    expect(learningRateAt(1, 1, { ...settings, warmup: 0 })).toBeCloseTo(0.2, 12);
    expect(learningRateAt(1, 1, { ...settings, warmup: 1 })).toBe(2);
  });
});
