import { describe, expect, it } from "vitest";
import { contrast, paletteSteps, STEPS, stepOf } from "../../../server/report/palette.ts";

describe("the colours of the routing heatmaps", () => {
  it("have ink on them that reads at a contrast of at least 4.5 in both themes", () => {
    for (const theme of ["light", "dark"] as const) {
      for (const { fill, ink } of paletteSteps(theme)) expect(contrast(fill, ink)).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("change in one direction only, so that lightness alone orders them", () => {
    const ends = { light: [255, 255, 255], dark: [0, 0, 0] } as const;
    for (const theme of ["light", "dark"] as const) {
      const distances = paletteSteps(theme).map(({ fill }) => contrast(fill, ends[theme]));
      expect(distances.every((value, index) => index === 0 || value > (distances[index - 1] ?? 0))).toBe(true);
    }
  });

  it("have the uniform share in their middle, no token and every token at their ends", () => {
    for (const uniform of [0.125, 0.25, 0.5, 0.75]) {
      expect(stepOf(0, uniform)).toBe(0);
      expect(stepOf(uniform, uniform)).toBe((STEPS - 1) / 2);
      expect(stepOf(1, uniform)).toBe(STEPS - 1);
    }
  });

  it("stay within the scale where every expert is chosen, where none is, and for what is not a number", () => {
    expect(stepOf(1, 1)).toBe((STEPS - 1) / 2);
    expect(stepOf(0, 0)).toBe(0);
    expect(stepOf(Number.NaN, 0.5)).toBe(0);
    expect(stepOf(1.5, 0.5)).toBe(STEPS - 1);
  });
});
