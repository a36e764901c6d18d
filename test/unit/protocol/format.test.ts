import { describe, expect, it } from "vitest";
import {
  bytes,
  count,
  dateTime,
  duration,
  flops,
  loss,
  percent,
  rate,
  tokens,
} from "../../../server/protocol/format.ts";

describe("numbers for people", () => {
  it("gives counts three figures and a letter", () => {
    const cases: [number, string][] = [
      [0, "0"],
      [950, "950"],
      [999.6, "1k"],
      [3400, "3.4k"],
      [99_949, "99.9k"],
      [99_960, "100k"],
      [999_499, "999k"],
      [999_500, "1M"],
      [1_234_567, "1.2M"],
      [7e9, "7B"],
      [2.5e15, "2500T"],
      [-3400, "-3.4k"],
    ];
    for (const [value, text] of cases) expect(count(value)).toBe(text);
  });

  it("names the unit", () => {
    expect(tokens(1_200_000)).toBe("1.2M tokens");
    expect(rate(3400)).toBe("3.4k tokens/s");
    expect(bytes(12_300_000)).toBe("12.3 MB");
    expect(bytes(12)).toBe("12 B");
    expect(flops(3.4e12)).toBe("3.4 TFLOP");
    expect(percent(0.42)).toBe("42 %");
    expect(percent(0.1234, 1)).toBe("12.3 %");
    expect(loss(2.31449)).toBe("2.314");
  });

  it("writes times with the two units that matter and carries over at the borders", () => {
    const cases: [number, string][] = [
      [0.42, "0.4 s"],
      [59.94, "59.9 s"],
      [59.96, "1m 00s"],
      [65, "1m 05s"],
      [3599.7, "1h 00m"],
      [7380, "2h 03m"],
      [86_399, "1d 00h"],
      [273_600, "3d 04h"],
      [-1, "0.0 s"],
    ];
    for (const [seconds, text] of cases) expect(duration(seconds)).toBe(text);
  });

  it("writes a dash for what is not a number", () => {
    for (const format of [count, bytes, flops, duration, loss, percent]) {
      expect(format(Number.NaN)).toBe("–");
      expect(format(Number.POSITIVE_INFINITY)).toBe("–");
    }
  });

  it("shortens a time and leaves what is no time as it is", () => {
    expect(dateTime("2026-03-04T12:30:59.000Z", true)).toBe("2026-03-04 12:30");
    expect(dateTime("2026-03-04T12:30:59.000Z")).toMatch(/^2026-03-0[345] \d\d:\d\d$/);
    expect(dateTime("yesterday")).toBe("yesterday");
  });
});
