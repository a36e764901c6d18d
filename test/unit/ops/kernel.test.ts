import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { kernelOr } from "../../../server/ops/kernel.ts";
import { useCpu, values } from "./support.ts";

describe("kernelOr", () => {
  beforeAll(useCpu);
  const x = tf.tensor1d([1, 2]);
  const run = () => values(kernelOr<tf.Tensor>("TestKernel", { x }, { by: 3 }, () => tf.neg(x)));

  test("runs the backend's kernel where it has one, else the composition", () => {
    expect(run()).toEqual([-1, -2]);
    tf.registerKernel({
      kernelName: "TestKernel",
      backendName: "cpu",
      kernelFunc: ({ inputs, attrs }) => tf.mul(inputs.x as tf.Tensor, (attrs as { by: number }).by),
    });
    try {
      expect(run()).toEqual([3, 6]);
    } finally {
      tf.unregisterKernel("TestKernel", "cpu");
    }
    expect(run()).toEqual([-1, -2]);
  });
});
