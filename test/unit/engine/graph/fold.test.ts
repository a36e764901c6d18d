import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { capture } from "../../../../server/engine/capture/capture.ts";
import { fold } from "../../../../server/engine/graph/fold.ts";
import { lower } from "../../../../server/engine/onnx/lowering/lower.ts";
import type { TensorSpecs, Tensors } from "../../../../server/ops/program.ts";

const specs: TensorSpecs = { x: { shape: [2, 3], dtype: "float32" }, y: { shape: [2, 3], dtype: "float32" } };
const graphOf = (f: (batch: Tensors) => tf.Tensor) =>
  fold(capture((_, batch) => ({ state: {}, results: { out: f(batch) } }), {}, specs));
const kernels = (f: (batch: Tensors) => tf.Tensor) => graphOf(f).nodes.map(({ kernel }) => kernel);

describe("fold removes", () => {
  test.each<[string, (batch: Tensors) => tf.Tensor, string[]]>([
    ["multiplication by ones", ({ x }) => tf.exp(tf.mul(x!, tf.ones([2, 3]))), ["Exp"]],
    ["addition of zeros", ({ x }) => tf.exp(tf.add(tf.zerosLike(x!), x!)), ["Exp"]],
    ["a cast to the same type", ({ x }) => tf.exp(tf.cast(x!, "float32")), ["Exp"]],
    ["a reshape to the same shape", ({ x }) => tf.exp(tf.reshape(x!, [2, 3])), ["Exp"]],
    ["all reshapes but the last", ({ x }) => tf.reshape(tf.reshape(x!, [3, 2]), [6]), ["Reshape"]],
    ["a reshape there and back", ({ x }) => tf.exp(tf.reshape(tf.reshape(x!, [6]), [2, 3])), ["Exp"]],
    ["a transpose before a product", ({ x, y }) => tf.matMul(x!, tf.transpose(y!)), ["BatchMatMul"]],
    ["the sign of a summand", ({ x, y }) => tf.add(x!, tf.neg(y!)), ["Sub"]],
    [
      "spreading over ones before an elementwise op",
      ({ x, y }) => tf.add(y!, tf.mul(tf.sum(x!, 1, true), tf.ones([2, 3]))),
      ["Sum", "Add"],
    ],
    [
      "what nobody uses",
      ({ x }) => {
        tf.exp(tf.square(x!));
        return tf.neg(x!);
      },
      ["Neg"],
    ],
  ])("%s", (_, f, expected) => {
    expect(kernels(f)).toEqual(expected);
  });

  test("repeated subexpressions: the same op on the same inputs is written once", () => {
    const { onnx } = lower(graphOf(({ x }) => tf.add(tf.mul(tf.exp(x!), 2), tf.exp(x!))));
    expect(onnx.nodes.filter(({ op }) => op === "Exp")).toHaveLength(1);
  });

  test("the size of a uniform constant: no tensor of ones is stored", () => {
    const { onnx } = lower(
      fold(
        capture(
          (_, { x }) => ({ state: {}, results: { out: tf.grad((v: tf.Tensor) => tf.sum(v) as tf.Scalar)(x!) } }),
          {},
          { x: { shape: [512, 512], dtype: "float32" } },
        ),
      ),
    );
    expect(onnx.initializers.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(64);
  });
});
