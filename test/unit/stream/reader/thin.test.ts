import { describe, expect, it } from "vitest";
import { Extremes } from "../../../../server/stream/reader/extremes.ts";
import { Means } from "../../../../server/stream/reader/means.ts";
import { smooth, thin } from "../../../../server/stream/reader/thin.ts";
import { randomNumbers } from "../../../fixtures/run.ts";

const random = randomNumbers(3);
/** Values with gaps in them. */
const values = (count: number) => Float64Array.from({ length: count }, () => (random() < 0.1 ? Number.NaN : random()));

function extremesOf(all: Float64Array): Extremes {
  const extremes = new Extremes();
  // As they come: in pieces.
  for (let end = 0; end <= all.length; end += 1 + Math.floor(random() * 700)) extremes.extend(all.subarray(0, end));
  extremes.extend(all);
  return extremes;
}

function slowly(all: Float64Array, from: number, to: number): { low: number; high: number } {
  let [low, high] = [-1, -1];
  for (let at = from; at < to; at++) {
    if (Number.isNaN(all[at])) continue;
    if (low < 0 || all[at]! < all[low]!) low = at;
    if (high < 0 || all[at]! > all[high]!) high = at;
  }
  return { low, high };
}

describe("the extremes of a stretch", () => {
  it("are those of a slow search, for any stretch", () => {
    const all = values(10_000);
    const extremes = extremesOf(all);
    for (let trial = 0; trial < 2000; trial++) {
      const from = Math.floor(random() * 10_001);
      const to = from + Math.floor(random() ** 3 * (10_001 - from));
      expect(extremes.find(all, from, to)).toEqual(slowly(all, from, to));
    }
    expect(extremes.find(all, 0, all.length)).toEqual(slowly(all, 0, all.length));
  });

  it("are right after rows gave way to others", () => {
    const all = values(5000);
    const extremes = extremesOf(all);
    extremes.cut(1234);
    all.set(values(5000 - 1234), 1234);
    extremes.extend(all);
    for (const [from, to] of [
      [0, 5000],
      [1000, 1500],
      [1232, 1260],
      [256, 4096],
    ] as const)
      expect(extremes.find(all, from, to)).toEqual(slowly(all, from, to));
  });

  it("of nothing, or of nothing but gaps, are none", () => {
    const gaps = new Float64Array(600).fill(Number.NaN);
    expect(extremesOf(gaps).find(gaps, 0, 600)).toEqual({ low: -1, high: -1 });
    expect(new Extremes().find(new Float64Array(0), 0, 0)).toEqual({ low: -1, high: -1 });
  });
});

describe("a moving mean", () => {
  it("is that of a loop, without the gaps, from running sums", () => {
    const all = values(500);
    const means = new Means();
    for (let end = 0; end <= 500; end += 50) means.extend(all.subarray(0, end));
    for (let at = 0; at < 500; at++) {
      const reach = Math.min(10, at);
      const near = [...all.subarray(at - reach, at + reach + 1)].filter((value) => !Number.isNaN(value));
      const mean = near.reduce((sum, value) => sum + value, 0) / near.length;
      expect(means.around(at, 21)).toBeCloseTo(mean, 10);
    }
    expect(means.count(0, 500)).toBe([...all].filter((value) => !Number.isNaN(value)).length);
  });
});

describe("a thinned line", () => {
  const count = 50_000;
  const x = Float64Array.from({ length: count }, (_, index) => index + 1 + random() / 2);
  const y = Float64Array.from(x, (at) => Math.sin(at / 900) + random() / 10);
  y[31_415] = 40;
  const extremes = extremesOf(y);
  const window = { low: 0, high: 60_000, columns: 600 };

  it("has at most two points a pixel column, the lowest and the highest of it", () => {
    const thinned = thin(x, y, extremes, window);
    const byColumn = (at: Float64Array, values: Float64Array): Map<number, number[]> => {
      const columns = new Map<number, number[]>();
      for (const index of values.keys()) {
        const column = Math.floor(at[index]! / 100);
        columns.set(column, [...(columns.get(column) ?? []), index]);
      }
      return columns;
    };
    const columns = byColumn(thinned.x, thinned.y);
    const inside = byColumn(x, y);
    expect(Math.max(...[...columns.values()].map(({ length }) => length))).toBe(2);
    for (const [column, points] of columns) {
      const [shown, all] = [points.map((index) => thinned.y[index]!), inside.get(column)!.map((index) => y[index]!)];
      expect(Math.min(...shown)).toBe(Math.min(...all));
      expect(Math.max(...shown)).toBe(Math.max(...all));
    }
    expect(columns.size).toBe(inside.size);
    expect(thinned.y).toContain(40);
    expect([...thinned.x]).toEqual([...thinned.x].sort((a, b) => a - b));
  });

  it("is whole where there are few points, with one beyond either edge", () => {
    const thinned = thin(x, y, extremes, { low: 100, high: 200, columns: 400 });
    const from = x.findIndex((at) => at >= 100) - 1;
    const to = x.findIndex((at) => at > 200) + 1;
    expect(thinned.x).toEqual(x.slice(from, to));
    expect(thinned.y).toEqual(y.slice(from, to));
  });

  it("is shifted to where its stage begins", () => {
    const shifted = thin(x, y, extremes, { low: 5000, high: 65_000, columns: 600 }, 5000);
    const plain = thin(x, y, extremes, window);
    expect(shifted.y).toEqual(plain.y);
    expect(shifted.x).toEqual(plain.x.map((at) => at + 5000));
  });

  it("outside of the window is at most the points that lead to it", () => {
    expect(thin(x, y, extremes, { low: 70_000, high: 80_000, columns: 10 }).x).toHaveLength(1);
    expect(thin(x, y, extremes, { low: -10, high: 0, columns: 10 }).x).toHaveLength(1);
    expect(thin(new Float64Array(0), new Float64Array(0), new Extremes(), window).x).toHaveLength(0);
  });

  it("smoothed has one point a pixel column, the mean around a recorded place", () => {
    const means = new Means();
    means.extend(y);
    const line = smooth(x, means, 201, window);
    expect(line.x.length).toBeLessThanOrEqual(601);
    expect(line.x.length).toBeGreaterThan(480);
    for (const [index, at] of line.x.entries()) expect(line.y[index]).toBe(means.around(x.indexOf(at), 201));
    expect(line.x.at(-1)).toBe(x.at(-1));
  });
});
