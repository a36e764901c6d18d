import { expect, test } from "vitest";
import { cut, join, sum } from "../../../../server/stages/mixing/tensors.ts";

/** [rows, columns] of 10 * row + column. */
const matrix = (rows: number, columns: number) => ({
  shape: [rows, columns],
  data: Float32Array.from({ length: rows * columns }, (_, i) => 10 * Math.floor(i / columns) + (i % columns)),
});

test("cut takes equal parts of rows, of columns and of vectors", () => {
  expect(cut(matrix(4, 3), { axis: 0, part: 1, parts: 2 })).toEqual({
    shape: [2, 3],
    data: Float32Array.of(20, 21, 22, 30, 31, 32),
  });
  expect(cut(matrix(2, 6), { axis: 1, part: 2, parts: 3 })).toEqual({
    shape: [2, 2],
    data: Float32Array.of(4, 5, 14, 15),
  });
  expect(cut({ shape: [4], data: Float32Array.of(1, 2, 3, 4) }, { axis: 0, part: 1, parts: 4 })).toEqual({
    shape: [1],
    data: Float32Array.of(2),
  });
});

test.each([0, 1])("join along axis %i undoes cut", (axis) => {
  const whole = matrix(6, 6);
  const parts = [0, 1, 2].map((part) => cut(whole, { axis, part, parts: 3 }));
  expect(join(parts, axis)).toEqual(whole);
  expect(join(parts.toReversed(), axis)).not.toEqual(whole);
  expect(join([whole], axis)).toEqual(whole);
});

test("sum adds in double precision", () => {
  const tensors = [2 ** 24, 1, 1].map((x) => ({ shape: [1], data: Float32Array.of(x) }));
  expect(sum(tensors)).toEqual({ shape: [1], data: Float32Array.of(2 ** 24 + 2) });
});
