import { describe, expect, it } from "vitest";
import { type ChartLine, fittingY, nearest } from "../../../../webview/components/chartLine.ts";

const line = (y: number[], smooth: number[] = []): ChartLine => ({
  id: "a",
  label: "a",
  color: "red",
  dash: [],
  x: Float64Array.from(y.keys()),
  y: Float64Array.from(y),
  smoothX: Float64Array.from(smooth.keys()),
  smoothY: Float64Array.from(smooth),
});

describe("the y axis", () => {
  it("fits the visible part of the lines with a small margin, and extends below zero only for negative values", () => {
    expect(fittingY([line([9, 2, 3, 1, 50])], [1, 3], false)).toEqual([0.9, 3.1]);
    expect(fittingY([line([0.01, 1])], [0, 1], false)[0]).toBe(0);
    expect(fittingY([line([-1, 1])], [0, 1], false)).toEqual([-1.1, 1.1]);
  });

  it("fits the smoothed lines if there are any", () => {
    const [low, high] = fittingY([line([0, 100, 0], [40, 50, 60])], [0, 2], false);
    expect([low, high]).toEqual([39, 61]);
  });

  it("fits the positive values if it is logarithmic", () => {
    const [low, high] = fittingY([line([0, -5, 1, 100])], [0, 3], true);
    expect(low).toBeCloseTo(1 / 100 ** 0.05, 9);
    expect(high).toBeCloseTo(100 * 100 ** 0.05, 9);
  });

  it("has an extent for one value, no values and gaps", () => {
    expect(fittingY([line([2])], [0, 1], false)).toEqual([1.9, 2.1]);
    expect(fittingY([], [0, 1], false)).toEqual([0, 1]);
    expect(fittingY([line([Number.NaN, Number.NaN])], [0, 1], true)).toEqual([0.1, 1]);
  });
});

describe("the nearest point", () => {
  it("is found on both sides and at the ends", () => {
    const x = Float64Array.of(1, 2, 4, 8);
    expect([-5, 1.4, 1.6, 3, 3.1, 6.5, 100].map((at) => nearest(x, at))).toEqual([0, 0, 1, 1, 2, 3, 3]);
    expect(nearest(new Float64Array(0), 1)).toBe(-1);
  });
});
