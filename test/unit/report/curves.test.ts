import { describe, expect, it } from "vitest";
import { decimated, lossCurves, POINTS, smoothed, ticks } from "../../../server/report/curves.ts";
import { randomNumbers, runFixture } from "../../fixtures/run.ts";

const noisy = (length: number) => {
  const random = randomNumbers(7);
  return Array.from({ length }, (_, index) => ({ tokens: index, loss: 2 + random() }));
};

describe("decimated", () => {
  it("keeps at most the points asked for, in order, with the ends and every extreme", () => {
    const points = noisy(100_003);
    const kept = decimated(points);
    expect(kept.length).toBeLessThanOrEqual(POINTS);
    expect(kept[0]).toBe(points[0]);
    expect(kept.at(-1)).toBe(points.at(-1));
    const losses = points.map((point) => point.loss);
    const [highest, lowest] = [losses.reduce((a, b) => Math.max(a, b)), losses.reduce((a, b) => Math.min(a, b))];
    expect(kept.some((point) => point.loss === highest)).toBe(true);
    expect(kept.some((point) => point.loss === lowest)).toBe(true);
    expect(kept.every((point, index) => index === 0 || point.tokens > (kept[index - 1]?.tokens ?? 0))).toBe(true);
  });

  it("leaves a short curve as it is", () => {
    for (const length of [0, 1, 2, POINTS]) expect(decimated(noisy(length)).length).toBe(length);
  });
});

describe("smoothed", () => {
  it("keeps a straight line's inside and the first value, and has less spread than the noise", () => {
    const line = Array.from({ length: 200 }, (_, index) => ({ tokens: index, loss: 5 - index / 100 }));
    const smooth = smoothed(line);
    for (let index = 0; index < 195; index++) expect(smooth[index]?.loss).toBeCloseTo(line[index]?.loss ?? 0, 9);
    const spread = (points: { loss: number }[]) =>
      Math.max(...points.map((p) => p.loss)) - Math.min(...points.map((p) => p.loss));
    expect(spread(smoothed(noisy(1000)).slice(100))).toBeLessThan(spread(noisy(1000)) / 3);
  });
});

describe("lossCurves", () => {
  it("starts a stage where the longest of its parents ended, so that experts lie over one another", () => {
    const input = runFixture();
    const curves = new Map(lossCurves(input).map((curve) => [curve.stage, curve]));
    const seedEnd = input.metrics.get("seed")?.at(-1)?.tokens ?? 0;
    const expertTokens = input.metrics.get("expert:code")?.at(-1)?.tokens ?? 0;
    for (const name of ["expert:code", "expert:prose", "expert:math"]) {
      expect(curves.get(name)?.raw[0]?.tokens).toBeGreaterThan(seedEnd);
      expect(curves.get(name)?.raw.at(-1)?.tokens).toBe(seedEnd + expertTokens);
    }
    expect(curves.get("finetune")?.raw.at(-1)?.tokens).toBe(seedEnd + 2 * expertTokens);
    expect([...curves.keys()]).toEqual([
      "seed",
      "expert:code",
      "expert:prose",
      "expert:math",
      "finetune",
      "dense",
      "upcycling",
    ]);
  });

  it("takes the last of the lines that a resumed stage wrote for one step, and no loss that is not finite", () => {
    const input = runFixture();
    const [first, second, third] = input.metrics.get("seed") ?? [];
    if (!first || !second || !third) throw new Error("The fixture has no metrics.");
    const metrics = new Map([
      ["seed", [first, { ...second, loss: 9 }, { ...third, loss: Number.NaN }, { ...second, loss: 4 }]],
    ]);
    expect(lossCurves({ ...input, metrics })[0]?.raw.map((point) => point.loss)).toEqual([first.loss, 4]);
  });
});

describe("ticks", () => {
  it("gives round values inside the span", () => {
    expect(ticks(0, 3.1e6, 5)).toEqual([0, 1e6, 2e6, 3e6]);
    expect(ticks(1.9, 4.6, 6)).toEqual([2, 2.5, 3, 3.5, 4, 4.5]);
    expect(ticks(2, 2, 5)).toEqual([2]);
  });
});
