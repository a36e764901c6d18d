import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { capture } from "../../../server/engine/capture/capture.ts";
import { recomputed } from "../../../server/ops/recomputed.ts";
import { expectClose, expectGradients, randomInputs, useCpu } from "./support.ts";

type Given = Record<string, tf.Tensor>;

describe("recomputed", () => {
  beforeAll(useCpu);
  const random = randomInputs(5);
  const [x, w, b] = [random.normal([3, 4]), random.normal([4, 4]), random.normal([4])];
  const block = (y: tf.Tensor, { w, b }: Given) => tf.tanh(tf.add(tf.matMul(y, w!), b!));
  const twice = (of: typeof block, y: tf.Tensor, given: Given) => of(of(y, given), given);
  const anew = (y: tf.Tensor, given: Given) => recomputed(block, y, given);

  test("has the value of the block", () => {
    expectClose(anew(x, { w, b }), block(x, { w, b }), 0);
  });

  test("has the gradient of the block in all it is given, also of one block after another", () => {
    expectGradients((y, v, c) => twice(anew, y, { w: v, b: c }), [x, w, b]);
  });

  test("is differentiated among other ops", () => {
    const f = (of: typeof block) => (y: tf.Tensor) => tf.sum(tf.square(of(tf.sigmoid(y), { w, b })));
    expectClose(tf.grad(f(anew))(x), tf.grad(f(block))(x), 1e-6);
  });

  test("makes what the block makes twice, the second time after the gradient of its value is there", () => {
    const kernels = (of: typeof block): string[] => {
      const program = ({ x, w, b }: Given) => {
        const { value, grad } = tf.valueAndGrad((y: tf.Tensor) => tf.sum(of(y, { w: w!, b: b! })))(x!);
        return { state: {}, results: { value, grad } };
      };
      const specs = Object.entries({ x, w, b }).map(([name, { shape }]) => [name, { shape, dtype: "float32" }]);
      return capture(program, Object.fromEntries(specs), {}).nodes.map(({ kernel }) => kernel);
    };
    const [once, again] = [kernels(block), kernels(anew)];
    const count = (list: string[], kernel: string) => list.filter((name) => name === kernel).length;
    expect(count(again, "Tanh")).toBe(count(once, "Tanh") + 1);
    expect(again.indexOf("After")).toBeLessThan(again.lastIndexOf("Tanh"));
    expect(count(once, "After")).toBe(0);
  });
});
