import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { routeOrder } from "../../../server/ops/routeOrder.ts";
import { randomInputs, useCpu, values } from "./support.ts";

describe("routeOrder", () => {
  beforeAll(useCpu);

  test("sorts rows by expert, keeps the order of equals and counts them", () => {
    const { order, inverse, sizes } = routeOrder(tf.tensor1d([2, 0, 2, 3, 0], "int32"), 5);
    expect(values(order)).toEqual([1, 4, 0, 2, 3]);
    expect(values(inverse)).toEqual([2, 0, 3, 4, 1]);
    expect(values(sizes)).toEqual([2, 0, 2, 1, 0]);
  });

  test("gives a permutation and its inverse", () => {
    const experts = randomInputs(7).below(4, [50]);
    const { order, inverse, sizes } = routeOrder(experts, 4);
    const [there, back, chosen] = [values(order), values(inverse), values(experts)];
    expect(there.map((row) => back[row])).toEqual(there.map((_, i) => i));
    expect(there.map((row) => chosen[row])).toEqual([...chosen].sort((a, b) => a - b));
    expect(values(sizes).reduce((total, size) => total + size, 0)).toBe(50);
  });
});
