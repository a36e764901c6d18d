import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { capture } from "../../../../server/engine/capture/capture.ts";
import type { TensorSpecs } from "../../../../server/ops/program.ts";

const x: TensorSpecs = { x: { shape: [2, 3], dtype: "float32" } };

function invertedByAnOddFunction(tensor: tf.Tensor): tf.Tensor {
  return tf.atan(tensor);
}

describe("capture", () => {
  test("an op without a kernel is an error that names the op, its inputs' shapes and the function that called it", () => {
    const program = () =>
      capture((_, batch) => ({ state: {}, results: { y: invertedByAnOddFunction(batch.x!) } }), {}, x);
    expect(program).toThrow(
      /op Atan cannot be compiled because it has no shape rule; inputs: x float32 \[2,3\]; called by invertedByAnOddFunction/,
    );
  });

  test("a program that reads a value is refused", () => {
    expect(() =>
      capture((_, batch) => ({ state: {}, results: { y: tf.mul(batch.x!, tf.max(batch.x!).dataSync()[0]!) } }), {}, x),
    ).toThrow(/must not depend on values/);
  });

  test("a program that returns state it was not given is refused", () => {
    expect(() => capture((_, batch) => ({ state: { extra: batch.x! }, results: {} }), {}, x)).toThrow(/"extra"/);
  });

  test("a tensor from outside the program is refused", async () => {
    await tf.setBackend("cpu").catch(() => {});
    const outside = tf.engine().makeTensorFromTensorInfo({ dataId: {}, shape: [2, 3], dtype: "float32" });
    expect(() => capture((_, batch) => ({ state: {}, results: { y: tf.add(batch.x!, outside) } }), {}, x)).toThrow();
  });

  test("after an error the next program is captured whole", () => {
    expect(() =>
      capture(
        () => {
          throw new Error("no");
        },
        {},
        x,
      ),
    ).toThrow("no");
    const graph = capture((_, batch) => ({ state: {}, results: { y: tf.exp(batch.x!) } }), {}, x);
    expect(graph.nodes.map(({ kernel }) => kernel)).toEqual(["Exp"]);
  });
});
