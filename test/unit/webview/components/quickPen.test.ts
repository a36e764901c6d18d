import { describe, expect, it } from "vitest";
import { columnSpans } from "../../../../webview/components/quickPen.ts";
import { randomNumbers } from "../../../fixtures/run.ts";

/** Lowest and highest y in each column, from very many points along the line. */
function sampled(points: number[][], width: number, left: number, top: number, scale: number): [number, number][] {
  const spans = Array.from({ length: width }, (): [number, number] => [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
  for (let at = 1; at < points.length; at++) {
    const [[fromX, fromY], [toX, toY]] = [points[at - 1]!, points[at]!] as [[number, number], [number, number]];
    for (let share = 0; share <= 1; share += 1 / 4096) {
      const column = Math.floor((fromX + (toX - fromX) * share - left) * scale);
      const y = (fromY + (toY - fromY) * share - top) * scale;
      const span = spans[column];
      if (span) spans[column] = [Math.min(span[0], y), Math.max(span[1], y)];
    }
  }
  return spans;
}

function spansOf(points: number[][], width: number, left: number, top: number, scale: number): [number, number][] {
  const [low, high] = [new Float32Array(width), new Float32Array(width)];
  columnSpans(new Float64Array(points.flat()), { left, top, scale }, low, high);
  return Array.from(low, (value, column) => [value, high[column]!]);
}

describe("the spans of a line in pixel columns", () => {
  it("cover the line, with few points and with many, even outside the picture", () => {
    const random = randomNumbers(7);
    for (const [count, scale] of [
      [4, 1],
      [30, 2],
      [400, 1.5],
    ] as const) {
      const points = Array.from({ length: count }, (_, at) => [
        5 + ((at + random()) * 130) / count,
        200 * random() - 20,
      ]);
      const spans = spansOf(points, 100, 20, 10, scale);
      for (const [column, [low, high]] of sampled(points, 100, 20, 10, scale).entries()) {
        const reached = low <= high;
        expect(spans[column]![0] <= spans[column]![1], `column ${column} of ${count} points`).toBe(reached);
        if (!reached) continue;
        expect(Math.abs(spans[column]![0] - low)).toBeLessThan(0.2);
        expect(Math.abs(spans[column]![1] - high)).toBeLessThan(0.2);
      }
    }
  });

  it("are one pixel for a single point, and empty without points", () => {
    expect(spansOf([[3.5, 8]], 5, 0, 0, 1).map(([low, high]) => low <= high)).toEqual([
      false,
      false,
      false,
      true,
      false,
    ]);
    expect(spansOf([], 2, 0, 0, 1).every(([low, high]) => low > high)).toBe(true);
  });

  it("include a whole vertical step", () => {
    expect(
      spansOf(
        [
          [1, 4],
          [1, 9],
          [3, 9],
        ],
        4,
        0,
        0,
        1,
      )[1],
    ).toEqual([4, 9]);
  });
});
