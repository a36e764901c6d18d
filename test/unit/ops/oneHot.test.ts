import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { oneHot } from "../../../server/ops/oneHot.ts";
import { useCpu } from "./support.ts";

describe("oneHot", () => {
  beforeAll(useCpu);

  test("puts a 1 at each index, along a new last axis", () => {
    expect(oneHot(tf.tensor2d([[2, 0]], [1, 2], "int32"), 3).arraySync()).toEqual([
      [
        [0, 0, 1],
        [1, 0, 0],
      ],
    ]);
  });

  test("takes a depth of 1", () => {
    expect(oneHot(tf.tensor1d([0, 0], "int32"), 1).arraySync()).toEqual([[1], [1]]);
  });
});
