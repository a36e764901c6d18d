import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { router } from "../../../server/routers/index.ts";
import { loadBalance } from "../../../server/routers/loadBalance.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "../ops/support.ts";

const config = (k: number, alpha = 0) => ({ type: "top-k" as const, k, loadBalance: alpha });

describe("the top-k router", () => {
  beforeAll(useCpu);
  const logits = tf.tensor2d([
    [1, 3, 2],
    [0, -1, -2],
  ]);
  const weights = tf.ones([2, 1]);

  test("keeps the k largest logits and takes the softmax over them alone", () => {
    const routing = router(config(2))(logits, weights);
    const gate = 1 / (1 + Math.exp(-1));
    expect(routing.experts.arraySync()).toEqual([
      [1, 2],
      [0, 1],
    ]);
    expect(routing.experts.dtype).toBe("int32");
    expectClose(routing.gates, [gate, 1 - gate, gate, 1 - gate]);
    expectClose(routing.gateOfExpert, [0, gate, 1 - gate, gate, 1 - gate, 0]);
    expect(values(routing.chosen)).toEqual([0, 1, 1, 1, 1, 0]);
    expect(routing.auxiliaryLoss).toBeUndefined();
  });

  test("with k = 1 gives the one expert everything, with k = E is soft routing", () => {
    expect(values(router(config(1))(logits, weights).gates)).toEqual([1, 1]);
    expectClose(router(config(3))(logits, weights).gateOfExpert, tf.softmax(logits));
  });

  test("balances the actual gates against the full softmax", () => {
    const routing = router(config(2, 0.3))(logits, weights);
    expectClose(routing.auxiliaryLoss!, loadBalance(routing.gateOfExpert, tf.softmax(logits), weights, 0.3));
  });

  test("has the gradient of its gates and of its auxiliary loss in the logits", () => {
    const wide = tf.mul(randomInputs(33).normal([4, 5]), 3);
    const each = tf.ones([4, 1]);
    expectGradients((x) => router(config(2))(x, each).gates, [wide]);
    expectGradients((x) => router(config(2))(x, each).gateOfExpert, [wide]);
    expectGradients((x) => router(config(2, 5))(x, each).auxiliaryLoss!, [wide]);
  });
});
