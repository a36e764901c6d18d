import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { choose } from "../../../server/ops/choose.ts";
import { useCpu, values } from "./support.ts";

beforeAll(useCpu);

test.each([
  [true, [1, Number.NaN]],
  [false, [3, 4]],
])("of two tensors one comes through, as one condition says: %s", (condition, expected) => {
  const [a, b] = [tf.tensor2d([[1, Number.NaN]]), tf.tensor2d([[3, 4]])];
  const chosen = choose(tf.scalar(condition, "bool"), a, b);
  expect(chosen.shape).toEqual([1, 2]);
  expect(values(chosen)).toEqual(expected);
});
