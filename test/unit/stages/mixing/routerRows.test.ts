import { expect, test } from "vitest";
import { routerRows } from "../../../../server/stages/mixing/routerRows.ts";

const rowsOf = (means: number[][], textOf: number[], randomSeed = 1, stream = "routers"): number[][] => {
  const data = routerRows({ means: means.map((mean) => Float64Array.from(mean)), textOf, randomSeed, stream });
  const width = means[0]!.length;
  return textOf.map((_, e) => [...data.subarray(e * width, (e + 1) * width)]);
};
const norm = (x: number[]): number => Math.hypot(...x);
const minus = (a: number[], b: number[]): number[] => a.map((x, i) => x - b[i]!);

test("a row is the difference of its text's mean from the mean over experts, of length 1", () => {
  // The centre is [2, 1]: the differences are [2, -1], [-2, -1] and [0, 2].
  const root = Math.sqrt(5);
  const expected = [
    [2 / root, -1 / root],
    [-2 / root, -1 / root],
    [0, 1],
  ];
  const means = [
    [4, 0],
    [0, 0],
    [2, 3],
  ];
  const rows = rowsOf(means, [0, 1, 2]);
  rows.forEach((row, e) => {
    expect(row).toEqual(expected[e]!.map(Math.fround));
  });
});

test("a text that is the mean of the others, as the seed's, has a row of 0 whatever the rounding", () => {
  const texts = [1, 2, 3].map((k) => Array.from({ length: 50 }, (_, i) => Math.sin(k * i) + 1e3));
  const seed = texts[0]!.map((_, i) => (texts[0]![i]! + texts[1]![i]! + texts[2]![i]!) / 3);
  const rows = rowsOf([...texts, seed], [0, 1, 2, 3]);
  expect(rows[3]).toEqual(Array(50).fill(0));
  for (const row of rows.slice(0, 3)) expect(norm(row)).toBeCloseTo(1, 6);
});

test("experts of one text share its row but for small differences, which the random seed decides", () => {
  const texts = [1, 2].map((k) => Array.from({ length: 400 }, (_, i) => Math.cos(k * i)));
  const textOf = [0, 0, 1, 1];
  const alone = rowsOf(texts, [0, 1]);
  const rows = rowsOf(texts, textOf);
  for (const [expert, row] of rows.entries()) {
    const size = norm(minus(row, alone[textOf[expert]!]!));
    expect(size).toBeGreaterThan(0.015);
    expect(size).toBeLessThan(0.025);
  }
  expect(norm(minus(rows[0]!, rows[1]!))).toBeGreaterThan(0.02);
  expect(rowsOf(texts, textOf)).toEqual(rows);
  expect(rowsOf(texts, textOf, 2)).not.toEqual(rows);
  expect(rowsOf(texts, textOf, 1, "another")).not.toEqual(rows);
});

test("copies that all stand for the same text are told apart by these differences alone", () => {
  const rows = rowsOf([[1, 2, 3, 4]], [0, 0, 0]);
  for (const row of rows) expect(norm(row) > 0 && norm(row) < 0.1).toBe(true);
  expect(rows[0]).not.toEqual(rows[1]);
});
