import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, test } from "vitest";
import { combine } from "../../../server/ops/combine.ts";
import { dispatch } from "../../../server/ops/dispatch.ts";
import { routeOrder } from "../../../server/ops/routeOrder.ts";
import { expectClose, expectGradients, randomInputs, useCpu } from "./support.ts";

const [tokens, k, width, count] = [5, 2, 3, 4];

describe("combine", () => {
  beforeAll(useCpu);
  const random = randomInputs(8);
  const experts = random.below(count, [tokens * k]);
  const y = random.normal([tokens * k, width]);
  const gates = random.normal([tokens, k]);

  test("adds up each token's rows by gate", () => {
    const { order, inverse } = routeOrder(experts, count);
    const [rows, weights, back] = [y.arraySync() as number[][], gates.arraySync() as number[][], inverse.arraySync()];
    const expected = weights.flatMap((gate, n) =>
      Array.from({ length: width }, (_, d) => gate.reduce((sum, g, j) => sum + g * rows[back[n * k + j]!]![d]!, 0)),
    );
    expectClose(combine(y, gates, order, inverse), expected);
  });

  test("undoes dispatch when a token's gates add up to 1", () => {
    const { order, inverse } = routeOrder(experts, count);
    const x = random.normal([tokens, width]);
    expectClose(combine(dispatch(x, order, inverse, k), tf.softmax(gates), order, inverse), x);
  });

  test("has the gradient of its value in the rows and the gates", () => {
    const { order, inverse } = routeOrder(experts, count);
    expectGradients((rows, weights) => combine(rows, weights, order, inverse), [y, gates]);
  });
});
