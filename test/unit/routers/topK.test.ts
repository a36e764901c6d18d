import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { router } from "../../../server/routers/index.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "../ops/support.ts";
import { inputOf, softmaxOf } from "./support.ts";

const config = (k: number) => ({ type: "top-k" as const, k, loadBalance: 0 });

describe("the top-k router", () => {
  beforeAll(useCpu);
  const rows = [
    [1, 3, 2],
    [0, -1, -2],
  ];
  const logits = tf.tensor2d(rows);

  test("keeps the k largest logits and takes the softmax over them alone", () => {
    const routing = router(config(2)).route(inputOf(logits));
    const gate = 1 / (1 + Math.exp(-1));
    expect(routing.experts.arraySync()).toEqual([
      [1, 2],
      [0, 1],
    ]);
    expect(routing.experts.dtype).toBe("int32");
    expectClose(routing.gates, [gate, 1 - gate, gate, 1 - gate]);
    expectClose(routing.gateOfExpert, [0, gate, 1 - gate, gate, 1 - gate, 0]);
    expect(values(routing.chosen)).toEqual([0, 1, 1, 1, 1, 0]);
    expect(routing.dropped).toBeUndefined();
  });

  test("with k = 1 gives the one expert everything, with k = E is soft routing", () => {
    const one = router(config(1)).route(inputOf(logits));
    expect(values(one.gates)).toEqual([1, 1]);
    expect(one.experts.arraySync()).toEqual([[1], [0]]);
    expectClose(router(config(3)).route(inputOf(logits)).gateOfExpert, tf.softmax(logits));
  });

  test("with the softmax before selection keeps the probabilities of the k largest", () => {
    const [first, second] = rows.map(softmaxOf) as [number[], number[]];
    const routing = router({ ...config(2), softmax: "before" }).route(inputOf(logits));
    expect(routing.experts.arraySync()).toEqual([
      [1, 2],
      [0, 1],
    ]);
    expectClose(routing.gates, [first[1]!, first[2]!, second[0]!, second[1]!]);
    expectClose(routing.gateOfExpert, [0, first[1]!, first[2]!, second[0]!, second[1]!, 0]);
  });

  test("chooses by probability plus bias and gates without it", () => {
    // Probabilities (0.09, 0.67, 0.24) and (0.67, 0.24, 0.09): 0.2 lifts the last of each above its second.
    const bias = tf.tensor1d([0, -0.5, 0.2]);
    for (const softmax of [undefined, "before"] as const) {
      const routing = router({ ...config(2), balance: "bias", ...(softmax ? { softmax } : {}) }).route(
        inputOf(logits, { bias }),
      );
      expect(routing.experts.arraySync()).toEqual([
        [2, 1],
        [0, 2],
      ]);
      const p = rows.map(softmaxOf);
      const kept = [
        [p[0]![2]!, p[0]![1]!],
        [p[1]![0]!, p[1]![2]!],
      ];
      const gates = kept.map(([a, b]) => (softmax ? [a!, b!] : [a! / (a! + b!), b! / (a! + b!)]));
      expectClose(routing.gates, gates.flat());
    }
  });

  test("has the gradient of its gates in the logits", () => {
    const wide = tf.mul(randomInputs(33).normal([4, 5]), 3);
    for (const softmax of [{}, { softmax: "before" as const }]) {
      expectGradients((x) => router({ ...config(2), ...softmax }).route(inputOf(x)).gates, [wide]);
      expectGradients((x) => router({ ...config(2), ...softmax }).route(inputOf(x)).gateOfExpert, [wide]);
    }
  });
});
