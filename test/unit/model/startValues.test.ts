import { describe, expect, test } from "vitest";
import { startValues } from "../../../server/model/startValues.ts";
import { bias, matrix, type ParameterDeclaration } from "../../../server/parameters/declaration.ts";

const weight = matrix({ name: "w", shape: [300, 200], group: "dense", deviation: 0.5 });
const orthogonal = (shape: number[]): ParameterDeclaration => ({
  ...weight,
  shape,
  start: { type: "orthogonal", gain: 0.1 },
});

/** All products of two rows of a matrix [rows, columns]. */
function products(data: Float32Array, rows: number, columns: number): number[][] {
  const row = (i: number) => data.subarray(i * columns, (i + 1) * columns);
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: rows }, (_, j) => row(i).reduce((sum, x, k) => sum + x * row(j)[k]!, 0)),
  );
}

describe("start values", () => {
  test("are normal numbers of the deviation that is declared", () => {
    const data = startValues(weight, 3);
    const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
    const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.sqrt(variance)).toBeCloseTo(0.5, 2);
  });

  test("depend on the seed of random numbers and the name only", () => {
    expect(startValues(weight, 3)).toEqual(startValues({ ...weight, group: "experts" }, 3));
    expect(startValues(weight, 3)).not.toEqual(startValues(weight, 4));
    expect(startValues(weight, 3)).not.toEqual(startValues({ ...weight, name: "v" }, 3));
  });

  test("of a bias are 0, of a norm 1", () => {
    expect([...startValues(bias({ name: "b", shape: [3], group: "dense" }), 1)]).toEqual([0, 0, 0]);
    expect([...startValues({ ...weight, shape: [2], start: { type: "ones" } }, 1)]).toEqual([1, 1]);
  });

  test.each([
    [5, 8],
    [8, 5],
    [4, 4],
  ])("are orthogonal in a matrix of %i rows and %i columns, with the gain as length", (rows, columns) => {
    const data = startValues(orthogonal([rows, columns]), 2);
    const turned = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
    const wide = rows <= columns;
    const found = wide ? products(data, rows, columns) : products(turned, columns, rows);
    for (const [i, row] of found.entries())
      for (const [j, product] of row.entries()) expect(product).toBeCloseTo(i === j ? 0.01 : 0, 7);
  });
});
