import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { embedding } from "../../../server/ops/embedding.ts";
import { expectGradients, randomInputs, useCpu, values } from "./support.ts";

describe("embedding", () => {
  beforeAll(useCpu);
  const weight = randomInputs(5).normal([4, 3]);
  const ids = tf.tensor1d([2, 0, 2, 2], "int32");

  test("picks the rows of the ids", () => {
    const rows = weight.arraySync() as number[][];
    expect(embedding(weight, ids).arraySync()).toEqual([rows[2], rows[0], rows[2], rows[2]]);
  });

  test("adds up the gradients of an id that comes more than once, and gives none to an id that does not come", () => {
    const [gradient] = tf.grads((w) => tf.sum(embedding(w, ids)))([weight]);
    expect(values(gradient!)).toEqual([1, 1, 1, 0, 0, 0, 3, 3, 3, 0, 0, 0]);
    expectGradients((w) => embedding(w, ids), [weight]);
  });
});
