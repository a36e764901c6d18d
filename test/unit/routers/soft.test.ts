import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { router } from "../../../server/routers/index.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "../ops/support.ts";
import { inputOf, softmaxOf } from "./support.ts";

describe("the soft router", () => {
  beforeAll(useCpu);
  const soft = router({ type: "soft", loadBalance: 0 });

  test("sends every token to every expert, by the softmax of the logits", () => {
    const rows = [
      [1, 3, 2],
      [0, -1, -2],
    ];
    const routing = soft.route(inputOf(tf.tensor2d(rows)));
    expect(routing.experts.arraySync()).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    expect(routing.experts.dtype).toBe("int32");
    expectClose(routing.gates, rows.flatMap(softmaxOf));
    expectClose(routing.gateOfExpert, rows.flatMap(softmaxOf));
    expect(values(routing.chosen)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test("has the gradient of its gates in the logits", () => {
    expectGradients((x) => soft.route(inputOf(x)).gates, [randomInputs(36).normal([4, 5])]);
  });

  test("is not balanced by a bias", () => {
    expect(() => router({ type: "soft", loadBalance: 1, balance: "bias" })).toThrow(
      "a soft router cannot be balanced by a bias",
    );
  });
});
