import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { router } from "../../../server/routers/index.ts";
import { expectClose, expectGradients, randomInputs, useCpu, values } from "../ops/support.ts";
import { inputOf, softmaxOf } from "./support.ts";

const config = (capacity: number, evaluationCapacity?: number) => ({
  type: "switch" as const,
  capacity,
  loadBalance: 0,
  ...(evaluationCapacity === undefined ? {} : { evaluationCapacity }),
});

/** Logits of tokens whose largest is that of the given experts. */
const favouring = (experts: number[], count: number): number[][] =>
  experts.map((expert, n) => Array.from({ length: count }, (_, e) => (e === expert ? 2 + n / 10 : e / 7)));

describe("the Switch router", () => {
  beforeAll(useCpu);
  const rows = favouring([1, 0, 1, 1, 2, 1], 3);
  const logits = tf.tensor2d(rows);
  const probability = rows.map((row) => Math.max(...softmaxOf(row)));

  test("gives the expert of the largest logit its probability among all experts", () => {
    const routing = router(config(10)).route(inputOf(logits));
    expect(values(routing.experts)).toEqual([1, 0, 1, 1, 2, 1]);
    expect(routing.experts.shape).toEqual([6, 1]);
    expectClose(routing.gates, probability);
    expectClose(tf.sum(routing.gateOfExpert, 1), probability);
    expect(values(tf.argMax(routing.gateOfExpert, 1))).toEqual([1, 0, 1, 1, 2, 1]);
    expect(values(tf.sum(routing.dropped!))).toEqual([0]);
  });

  test("drops what comes after an expert is full: ceil(capacity * N / E) tokens keep their place", () => {
    // 6 tokens and 3 experts: 2 places each with capacity 1, 3 with 1.25, 1 with 0.5.
    for (const [capacity, kept] of [
      [1, [1, 1, 1, 0, 1, 0]],
      [1.25, [1, 1, 1, 1, 1, 0]],
      [0.5, [1, 1, 0, 0, 1, 0]],
      [0.01, [1, 1, 0, 0, 1, 0]],
    ] as const) {
      const routing = router(config(capacity)).route(inputOf(logits));
      const { gates, chosen, gateOfExpert, dropped, experts } = routing;
      // A dropped token goes to nobody, which is 3 of 0 to 2.
      expect(values(experts)).toEqual([1, 0, 1, 1, 2, 1].map((expert, n) => (kept[n] ? expert : 3)));
      expect(routing.mayHaveNoExpert).toBe(true);
      const expected = probability.map((p, n) => p * kept[n]!);
      expectClose(gates, expected);
      expectClose(tf.sum(gateOfExpert, 1), expected);
      expect(values(tf.sum(chosen, 1))).toEqual([...kept]);
      expect(values(tf.sum(dropped!, 1))).toEqual(kept.map((x) => 1 - x));
      expect(values(tf.add(chosen, dropped!))).toEqual(
        rows.flatMap((_, n) => [0, 1, 2].map((e) => ([1, 0, 1, 1, 2, 1][n] === e ? 1 : 0))),
      );
    }
  });

  test("counts places exactly, whatever rounds on the way", () => {
    const kept = (tokens: number, count: number, capacity: number) => {
      const crowd = tf.tensor2d(favouring(Array(tokens).fill(0), count));
      return values(tf.sum(router(config(capacity)).route(inputOf(crowd)).chosen))[0];
    };
    // In floating point 1.1 * 10 is more than 11, 1.2 * 10 / 3 perhaps more than 4.
    expect(kept(12, 1, 1)).toBe(12);
    expect(kept(30, 3, 1.1)).toBe(11);
    expect(kept(10, 3, 1.2)).toBe(4);
    expect(kept(100, 10, 1.1)).toBe(11);
    expect(kept(7, 3, 1)).toBe(3);
  });

  test("drops nothing outside training, unless there is a capacity for evaluation", () => {
    for (const mode of ["evaluation", "generation"] as const) {
      const routing = router(config(0.5)).route(inputOf(logits, { mode }));
      expectClose(routing.gates, probability);
      expect(routing).not.toHaveProperty("dropped");
    }
    const limited = router(config(5, 0.5));
    expect(values(tf.sum(limited.route(inputOf(logits, { mode: "evaluation" })).chosen))).toEqual([3]);
    expect(values(tf.sum(limited.route(inputOf(logits)).chosen))).toEqual([6]);
    expectClose(limited.route(inputOf(logits, { mode: "generation" })).gates, probability);
  });

  test("gives padding no place, and counts places by the tokens that are none", () => {
    // Without the first and the third: 4 tokens and 3 experts, ceil(4 / 3) = 2 places.
    const weights = tf.tensor2d([0, 1, 0, 1, 1, 1], [6, 1]);
    const { chosen } = router(config(1)).route(inputOf(logits, { weights }));
    expect(values(tf.sum(tf.mul(chosen, weights), 1))).toEqual([0, 1, 0, 1, 1, 1]);
    const fewer = router(config(0.5)).route(inputOf(logits, { weights }));
    expect(values(tf.sum(tf.mul(fewer.chosen, weights), 1))).toEqual([0, 1, 0, 1, 1, 0]);
  });

  test("chooses by probability plus bias", () => {
    const bias = tf.tensor1d([0, -1, 0]);
    const { experts, gates } = router({ ...config(9), balance: "bias" }).route(inputOf(logits, { bias }));
    const chosen = rows.map((row) => (row[0]! > row[2]! ? 0 : 2));
    expect(values(experts)).toEqual(chosen);
    expectClose(
      gates,
      rows.map((row, n) => softmaxOf(row)[chosen[n]!]!),
    );
  });

  test("has the gradient of its gates in the logits, none through dropped tokens", () => {
    const wide = tf.mul(randomInputs(35).normal([8, 4]), 3);
    expectGradients((x) => router(config(0.5)).route(inputOf(x)).gates, [wide]);
    expectGradients((x) => router(config(0.5)).route(inputOf(x)).gateOfExpert, [wide]);
    const gradient = tf.grad((x) => router(config(0.5)).route(inputOf(x)).gates)(wide);
    const dropped = values(tf.sum(router(config(0.5)).route(inputOf(wide)).dropped!, 1));
    expect(dropped).toContain(1);
    const size = values(tf.sum(tf.abs(gradient), 1));
    dropped.forEach((gone, n) => {
      if (gone === 1) expect(size[n]).toBe(0);
      else expect(size[n]).toBeGreaterThan(0);
    });
  });
});
