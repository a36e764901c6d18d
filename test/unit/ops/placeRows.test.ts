import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { placeRows } from "../../../server/ops/placeRows.ts";
import { randomInputs, useCpu } from "./support.ts";

describe("placeRows", () => {
  beforeAll(useCpu);
  const random = randomInputs(8);

  test("puts each sequence's rows at its places, in all heads, and leaves the others", () => {
    const [places, rows] = [random.normal([2, 3, 5, 4]), random.normal([2, 3, 2, 4])];
    const positions = [
      [1, 4],
      [3, 0],
    ];
    const expected = places.arraySync() as number[][][][];
    const given = rows.arraySync() as number[][][][];
    positions.forEach((of, sequence) => {
      for (let head = 0; head < 3; head++)
        of.forEach((place, row) => {
          expected[sequence]![head]![place] = given[sequence]![head]![row]!;
        });
    });
    const placed = placeRows(places, rows, tf.tensor2d(positions, [2, 2], "int32"));
    expect(placed.arraySync()).toEqual(expected);
  });
});
