import { describe, expect, it } from "vitest";
import { measured, setStandings, standings, statistic, studentPoint } from "../../../server/compare/statistics.ts";

const stat = (mean: number, deviation?: number, count = deviation === undefined ? 1 : 3) => ({
  mean,
  count,
  ...(deviation === undefined ? {} : { deviation }),
});

describe("statistic", () => {
  it("is the mean and the sample standard deviation, by hand", () => {
    // Squares around 5: 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32, over 7.
    const { mean, deviation, count } = statistic([2, 4, 4, 4, 5, 5, 7, 9]);
    expect([mean, count]).toEqual([5, 8]);
    expect(deviation).toBeCloseTo(Math.sqrt(32 / 7), 12);
  });

  it("has no deviation of a single value", () => {
    expect(statistic([3])).toEqual({ mean: 3, count: 1 });
  });
});

describe("standings", () => {
  it("call a row not different from the best where Welch's t-test does not, at the 5 % level", () => {
    // 4 degrees of freedom: 2.776 sqrt(0.03^2 / 3 + 0.03^2 / 3) = 0.0680
    const column = [stat(2, 0.03), stat(2.067, 0.03), stat(2.069, 0.03), stat(2.5, 0.01)];
    expect(standings(column, "lower")).toEqual(["best", "not-different", "worse", "worse"]);
    expect(standings(column, "higher")).toEqual(["worse", "worse", "worse", "best"]);
  });

  it("count the seeds of both rows", () => {
    // 22 degrees of freedom: 2.074 sqrt(0.03^2 / 12 + 0.03^2 / 12) = 0.0254
    const column = [stat(2, 0.03, 12), stat(2.048, 0.03, 12)];
    expect(standings(column, "lower")).toEqual(["best", "worse"]);
  });

  it("say that noise is unknown where the row or the best has a single seed", () => {
    expect(standings([stat(2, 0.1), stat(2.01)], "lower")).toEqual(["best", "unknown"]);
    expect(standings([stat(2), stat(2.01, 0.1)], "lower")).toEqual(["best", "unknown"]);
  });

  it("are best for all that are printed alike, none where every row is, and none where nothing was measured", () => {
    expect(standings([stat(2.0001), stat(2.0002), undefined, stat(3)], "lower")).toEqual([
      "best",
      "best",
      undefined,
      "unknown",
    ]);
    expect(standings([stat(2.0001), stat(2.0002)], "lower")).toEqual([undefined, undefined]);
  });
});

describe("measured", () => {
  it("takes statistics over seeds of each domain and of the mean of each seed", () => {
    const value = measured([
      { a: 1, b: 3, mean: 2 },
      { a: 2, b: 6, mean: 4 },
    ])!;
    expect(value.domains.a).toEqual({ mean: 1.5, deviation: Math.sqrt(0.5), count: 2 });
    expect(value.mean).toEqual({ mean: 3, deviation: Math.sqrt(2), count: 2 });
    expect(measured([undefined, undefined])).toBeUndefined();
  });

  it("is set against the other rows column by column", () => {
    const rows = [measured([{ a: 1, b: 4, mean: 2.5 }]), undefined, measured([{ a: 2, b: 1, mean: 1.5 }])];
    setStandings(rows, "lower");
    expect(rows.map((row) => [row?.domains.a?.standing, row?.domains.b?.standing, row?.mean.standing])).toEqual([
      ["best", "unknown", "unknown"],
      [undefined, undefined, undefined],
      ["unknown", "best", "best"],
    ]);
  });
});

/** Mass of Student's t within +-x, by Simpson's rule on its density, which is scaled by its own integral. */
function massWithin(x: number, degrees: number): number {
  const density = (t: number) => (1 + (t * t) / degrees) ** (-(degrees + 1) / 2);
  // t = tan(u) maps the whole line to (-pi/2, pi/2).
  const integral = (to: number) => {
    const steps = 20_000;
    const f = (u: number) => density(Math.tan(u)) / Math.cos(u) ** 2;
    let sum = f(0) + f(to);
    for (let i = 1; i < steps; i++) sum += (i % 2 ? 4 : 2) * f((i * to) / steps);
    return (sum * to) / steps / 3;
  };
  return integral(Math.atan(x)) / integral(Math.PI / 2 - 1e-9);
}

describe("studentPoint", () => {
  it.each([1, 2, 3, 4, 7, 12, 22, 30])("leaves 5 % outside, with %d degrees of freedom", (degrees) => {
    expect(massWithin(studentPoint(degrees), degrees)).toBeCloseTo(0.95, 3);
  });

  it("rounds degrees of freedom down, and is that of 30 above", () => {
    expect(studentPoint(2.9)).toBe(studentPoint(2));
    expect(studentPoint(1000)).toBe(studentPoint(30));
  });
});
