import { describe, expect, it } from "vitest";
import { bytes, count, duration, exact, short } from "../../../../webview/components/format.ts";
import { linearTicks, logTicks, timeTicks } from "../../../../webview/components/ticks.ts";

describe("numbers", () => {
  it("are written with the digits that float32 has", () => {
    expect(exact(Math.fround(2.3456789))).toBe("2.345679");
    expect(exact(0.001)).toBe("0.001");
    expect(exact(0.00001234)).toBe("1.234e−5");
    expect(exact(-1234567.5)).toBe("−1,234,568");
    expect(exact(0)).toBe("0");
    expect(exact(2.5e12)).toBe("2.5e12");
  });

  it("on an axis are as short as their spacing allows", () => {
    expect([0, 1000, 2000].map((value) => short(value, 1000))).toEqual(["0", "1000", "2000"]);
    expect([20_000, 22_500].map((value) => short(value, 2500))).toEqual(["20k", "22.5k"]);
    expect([0, 5000, 15_000].map((value) => short(value, 5000, 15_000))).toEqual(["0", "5k", "15k"]);
    expect(short(3_200_000, 200_000)).toBe("3.2M");
    expect(short(1.5e18, 5e17)).toBe("1.5E");
    expect([2.45, 2.5].map((value) => short(value, 0.05))).toEqual(["2.45", "2.5"]);
    expect(short(0.00025, 0.00005)).toBe("2.5e−4");
  });

  it("that are counts are written in full up to a million", () => {
    expect([1, 12_345, 999_999, 3_210_000].map(count)).toEqual(["1", "12,345", "999,999", "3.21M"]);
  });

  it("in seconds and bytes have units", () => {
    expect([0.25, 59.94, 90, 7500, 280_800].map(duration)).toEqual([
      "0.25 s",
      "59.9 s",
      "1 min 30 s",
      "2 h 5 min",
      "3 d 6 h",
    ]);
    expect([512 * 2 ** 20, 1.5 * 2 ** 30].map(bytes)).toEqual(["512 MiB", "1.5 GiB"]);
  });
});

describe("ticks", () => {
  it("are round, inside the axis, and no more than fit", () => {
    expect(linearTicks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(linearTicks(2.13, 2.87, 4)).toEqual([2.2, 2.4, 2.6, 2.8]);
    expect(linearTicks(5, 5, 4)).toEqual([5]);
    for (const [low, high] of [
      [0, 7],
      [-3, 1e9],
      [1.0001, 1.0002],
      [1e-12, 3e-12],
    ] as const) {
      const ticks = linearTicks(low, high, 8);
      expect(ticks.length).toBeGreaterThan(2);
      expect(ticks.length).toBeLessThanOrEqual(10);
      expect(Math.min(...ticks)).toBeGreaterThanOrEqual(low - 1e-9 * Math.abs(low));
      expect(Math.max(...ticks)).toBeLessThanOrEqual(high * (1 + 1e-9));
    }
  });

  it("of time are round fractions of minutes, hours and days", () => {
    expect(timeTicks(0, 300, 6)).toEqual([0, 60, 120, 180, 240, 300]);
    expect(timeTicks(0, 7200, 5)).toEqual([0, 1800, 3600, 5400, 7200]);
    expect(timeTicks(0, 20 * 86_400, 5)).toEqual([0, 5, 10, 15, 20].map((days) => days * 86_400));
    expect(timeTicks(0, 2, 5)).toEqual([0, 0.5, 1, 1.5, 2]);
  });

  it("of a logarithmic axis are powers of ten and values between them", () => {
    expect(logTicks(1, 100, 8)).toEqual([1, 2, 5, 10, 20, 50, 100]);
    expect(logTicks(1e-6, 1e6, 6)).toEqual([1e-6, 1e-4, 0.01, 1, 100, 1e4, 1e6]);
    expect(logTicks(2, 7, 5)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(logTicks(0, 7, 5)).toEqual([0]);
  });
});
