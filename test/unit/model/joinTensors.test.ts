import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { joinableGroups, joinTensors, splitTensor } from "../../../server/model/joinTensors.ts";
import { useCpu, values } from "../ops/support.ts";

describe("joinableGroups", () => {
  const of = (shapes: Record<string, number[]>, kind: (name: string) => unknown = () => 0) =>
    joinableGroups(new Map(Object.entries(shapes)), kind);

  test("puts together what differs in its rows only, wherever it stands", () => {
    expect(of({ a: [2, 3], norm: [3], b: [3, 2], c: [5, 3], bias: [2] })).toEqual([
      ["a", "c"],
      ["norm", "bias"],
      ["b"],
    ]);
  });

  test("keeps kinds apart", () => {
    expect(of({ a: [2], b: [2], c: [2] }, (name) => name === "b")).toEqual([["a", "c"], ["b"]]);
  });

  test("leaves numbers alone", () => {
    expect(of({ a: [], b: [] })).toEqual([["a"], ["b"]]);
  });

  test("joins no more than seven, and no more than 8 M elements", () => {
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`w${i}`, [1, 4]]));
    expect(of(many).map((names) => names.length)).toEqual([7, 2]);
    expect(of({ a: [2 ** 22, 1], b: [2 ** 22, 1], c: [1, 1] })).toEqual([["a", "b"], ["c"]]);
  });
});

describe("joinTensors and splitTensor", () => {
  beforeAll(useCpu);

  test.each([1, 3])("give %i tensors back as they were", (count) => {
    const tensors = [
      tf.tensor2d([[1, 2]]),
      tf.tensor2d([
        [3, 4],
        [5, 6],
      ]),
      tf.tensor2d([[7, 8]]),
    ].slice(0, count);
    const back = splitTensor(
      joinTensors(tensors),
      tensors.map(({ shape }) => shape[0]!),
    );
    expect(back.map((tensor) => [tensor.shape, [...values(tensor)]])).toEqual(
      tensors.map((tensor) => [tensor.shape, [...values(tensor)]]),
    );
  });
});
