import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import type { Tensors } from "../../../../../server/ops/program.ts";
import { bothEngines, devices, expectClose, float, type Input, ints, positive } from "../../../../fixtures/engine.ts";

type Case = [
  name: string,
  inputs: Record<string, Input>,
  op: (t: Tensors) => tf.Tensor | tf.Tensor[],
  gradientOf?: string[],
];

const a34 = float([3, 4], 1);
const b34 = float([3, 4], 2);
const row = float([4], 3);
const column = float([3, 1], 4);
const a234 = float([2, 3, 4], 5);
const pos = positive([3, 4], 6);

const binary = (
  name: string,
  op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  gradient: string[] = ["a", "b"],
): Case[] => [
  [name, { a: a34, b: b34 }, ({ a, b }) => op(a!, b!), gradient],
  [`${name}, broadcast along rows`, { a: a34, b: row }, ({ a, b }) => op(a!, b!), gradient],
  [`${name}, broadcast along columns`, { a: column, b: a234 }, ({ a, b }) => op(a!, b!), gradient],
  [`${name}, broadcast both ways`, { a: column, b: row }, ({ a, b }) => op(a!, b!), gradient],
  [`${name}, with a scalar`, { a: a234, b: float([], 9) }, ({ a, b }) => op(a!, b!), gradient],
  [`${name}, zero-sized`, { a: float([0, 4], 1), b: row }, ({ a, b }) => op(a!, b!), gradient],
];
const unary = (name: string, op: (x: tf.Tensor) => tf.Tensor, x = a34, gradient: string[] = ["x"]): Case[] => [
  [name, { x }, ({ x }) => op(x!), gradient],
  [`${name}, of a scalar`, { x: { shape: [], data: x.data.slice(0, 1) } }, ({ x }) => op(x!), gradient],
  [`${name}, zero-sized`, { x: float([2, 0], 1) }, ({ x }) => op(x!), gradient],
];
const reduction = (
  name: string,
  op: (x: tf.Tensor, axis?: number | number[], keep?: boolean) => tf.Tensor,
  gradient: string[] = ["x"],
): Case[] => [
  [`${name} of all`, { x: a234 }, ({ x }) => op(x!), gradient],
  [`${name} along axis 1`, { x: a234 }, ({ x }) => op(x!, 1), gradient],
  [`${name} along axis -1`, { x: a234 }, ({ x }) => op(x!, -1), gradient],
  [`${name} along two axes, kept`, { x: a234 }, ({ x }) => op(x!, [0, -2], true), gradient],
  [`${name} of zero rows`, { x: float([0, 4], 1) }, ({ x }) => op(x!, 0), []],
  [`${name} to a zero-sized tensor`, { x: float([0, 4], 1) }, ({ x }) => op(x!, -1), gradient],
];
const int = (name: string, op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Case => [
  name,
  { a: ints([5, 4], 1, 9, -9), b: ints([4], 2, 7, 1) },
  ({ a, b }) => op(a!, b!),
];

const cases: Case[] = [
  ...binary("add", tf.add),
  ...binary("sub", tf.sub),
  ...binary("mul", tf.mul),
  ...binary("div", tf.div),
  ...binary("maximum", tf.maximum, []),
  ["maximum of equal shapes", { a: a34, b: b34 }, ({ a, b }) => tf.maximum(a!, b!), ["a", "b"]],
  ...binary("minimum", tf.minimum, []),
  ["minimum of equal shapes", { a: a34, b: b34 }, ({ a, b }) => tf.minimum(a!, b!), ["a", "b"]],
  ...binary("squaredDifference", tf.squaredDifference, []),
  ["squaredDifference of equal shapes", { a: a34, b: b34 }, ({ a, b }) => tf.squaredDifference(a!, b!), ["a", "b"]],
  ...binary("floorDiv", tf.floorDiv, []),
  ...binary("mod", tf.mod, []),
  ["pow", { a: pos, b: b34 }, ({ a, b }) => tf.pow(a!, b!), ["a", "b"]],
  ["pow with a constant", { a: pos }, ({ a }) => tf.pow(a!, 2.5), ["a"]],
  int("integer add", tf.add),
  int("integer mul", tf.mul),
  int("integer floorDiv", tf.floorDiv),
  int("integer floorDiv by negatives", (a, b) => tf.floorDiv(a, tf.neg(b))),
  int("integer mod", tf.mod),
  int("integer maximum", tf.maximum),
  ...unary("exp", tf.exp),
  ...unary("neg", tf.neg),
  ...unary("abs", tf.abs),
  ...unary("square", tf.square),
  ...unary("sigmoid", tf.sigmoid),
  ...unary("tanh", tf.tanh),
  ...unary("cos", tf.cos),
  ...unary("sin", tf.sin),
  ...unary("floor", tf.floor, a34, []),
  ...unary("sign", tf.sign, a34, []),
  ...unary("step", (x) => tf.step(x, 0.25), a34, []),
  ...unary("log", tf.log, pos),
  ...unary("sqrt", tf.sqrt, pos),
  ...unary("rsqrt", tf.rsqrt, pos),
  ...unary("zerosLike", tf.zerosLike),
  ...unary("onesLike", tf.onesLike),
  ...reduction("sum", tf.sum),
  ...reduction("mean", tf.mean),
  ...reduction("max", tf.max),
  ...reduction("min", tf.min, []),
  ["integer sum", { x: ints([3, 4], 1, 9) }, ({ x }) => tf.sum(x!, -1)],
  ["sum of booleans", { a: a34, b: b34 }, ({ a, b }) => tf.sum(tf.greater(a!, b!), 0)],
  ["argMax", { x: a234 }, ({ x }) => tf.argMax(x!, -1)],
  ["softmax", { x: a234 }, ({ x }) => tf.softmax(x!), ["x"]],
  ["logSoftmax", { x: a234 }, ({ x }) => tf.logSoftmax(x!), ["x"]],
  ["matMul", { a: float([3, 5], 1), b: float([5, 4], 2) }, ({ a, b }) => tf.matMul(a!, b!), ["a", "b"]],
  [
    "matMul, first transposed",
    { a: float([5, 3], 1), b: float([5, 4], 2) },
    ({ a, b }) => tf.matMul(a!, b!, true),
    ["a", "b"],
  ],
  [
    "matMul, second transposed",
    { a: float([3, 5], 1), b: float([4, 5], 2) },
    ({ a, b }) => tf.matMul(a!, b!, false, true),
    ["a", "b"],
  ],
  [
    "matMul, both transposed",
    { a: float([5, 3], 1), b: float([4, 5], 2) },
    ({ a, b }) => tf.matMul(a!, b!, true, true),
    ["a", "b"],
  ],
  ...[false, true].map(
    (first): Case => [
      `matMul of 300 rows, ${first ? "both" : "second"} transposed`,
      { a: float(first ? [5, 300] : [300, 5], 1), b: float([4, 5], 2) },
      ({ a, b }) => tf.matMul(a!, b!, first, true),
      ["a", "b"],
    ],
  ),
  ["sum of squares of a matrix", { x: float([37, 41], 1) }, ({ x }) => tf.sum(tf.square(x!)), ["x"]],
  ["sum of squares of rows", { x: a34 }, ({ x }) => tf.sum(tf.square(x!), 1), ["x"]],
  [
    "matMul of transposes",
    { a: float([5, 3], 1), b: float([5, 4], 2) },
    ({ a, b }) => tf.matMul(tf.transpose(a!), b!),
    ["a", "b"],
  ],
  [
    "batched matMul",
    { a: float([2, 3, 4, 5], 1), b: float([2, 3, 5, 2], 2) },
    ({ a, b }) => tf.matMul(a!, b!),
    ["a", "b"],
  ],
  [
    "batched matMul, transposed",
    { a: float([2, 3, 5, 4], 1), b: float([2, 3, 2, 5], 2) },
    ({ a, b }) => tf.matMul(a!, b!, true, true),
    ["a", "b"],
  ],
  ["matMul over nothing", { a: float([3, 0], 1), b: float([0, 4], 2) }, ({ a, b }) => tf.matMul(a!, b!)],
  ["matMul of no rows", { a: float([0, 5], 1), b: float([5, 4], 2) }, ({ a, b }) => tf.matMul(a!, b!), ["a", "b"]],
  ["reshape", { x: a234 }, ({ x }) => tf.reshape(tf.reshape(x!, [6, -1]), [4, 6]), ["x"]],
  ["reshape of nothing", { x: float([0, 4], 1) }, ({ x }) => tf.reshape(x!, [2, 0, 2]), ["x"]],
  ["expandDims and squeeze", { x: a34 }, ({ x }) => tf.squeeze(tf.expandDims(tf.expandDims(x!, -1), 1), [-1]), ["x"]],
  ["transpose", { x: a234 }, ({ x }) => tf.transpose(x!, [2, 0, 1]), ["x"]],
  ["tile", { x: a34 }, ({ x }) => tf.tile(x!, [2, 3]), ["x"]],
  ["concat", { a: a34, b: float([3, 2], 8) }, ({ a, b }) => tf.concat([a!, b!], -1), ["a", "b"]],
  ["concat with nothing", { a: a34, b: float([0, 4], 8) }, ({ a, b }) => tf.concat([a!, b!], 0), ["a", "b"]],
  ["split", { x: float([3, 6], 1) }, ({ x }) => tf.split(x!, [1, 2, 3], -1), ["x"]],
  ["split in equal parts", { x: float([3, 6], 1) }, ({ x }) => tf.split(x!, 3, 1), ["x"]],
  ["slice", { x: a234 }, ({ x }) => tf.slice(x!, [0, 1, 1], [2, -1, 2]), []],
  ["gather", { x: a34, i: ints([2, 3], 1, 3) }, ({ x, i }) => tf.gather(x!, i as tf.Tensor2D), []],
  ["gather rows", { x: a34, i: ints([5], 1, 3) }, ({ x, i }) => tf.gather(x!, i as tf.Tensor1D), ["x"]],
  ["gather along axis -1", { x: a34, i: ints([5], 1, 4) }, ({ x, i }) => tf.gather(x!, i as tf.Tensor1D, -1)],
  ["gather nothing", { x: a34, i: ints([0], 1, 3) }, ({ x, i }) => tf.gather(x!, i as tf.Tensor1D)],
  [
    "unsortedSegmentSum",
    { x: float([6, 4], 1), i: ints([6], 1, 3) },
    ({ x, i }) => tf.unsortedSegmentSum(x!, i as tf.Tensor1D, 4),
    ["x"],
  ],
  ["topk", { x: float([3, 7], 1) }, ({ x }) => Object.values(tf.topk(x!, 3)) as tf.Tensor[]],
  ["oneHot", { i: ints([5], 1, 4) }, ({ i }) => tf.oneHot(i!, 4)],
  ["oneHot with values", { i: ints([2, 3], 1, 4) }, ({ i }) => tf.oneHot(i!, 4, 2, -1)],
  ["cumsum", { x: a234 }, ({ x }) => tf.cumsum(x!, 2), ["x"]],
  ["cumsum along axis 1", { x: a234 }, ({ x }) => tf.cumsum(x!, 1)],
  ["cumsum, exclusive and reversed", { x: a234 }, ({ x }) => tf.cumsum(x!, 2, true, true)],
  ["cast to int", { x: a34 }, ({ x }) => tf.cast(tf.mul(x!, 3), "int32")],
  ["cast to bool and back", { x: ints([3, 4], 1, 3) }, ({ x }) => tf.cast(tf.cast(x!, "bool"), "float32")],
  [
    "range, fill and zeros",
    { x: row },
    ({ x }) => tf.add(tf.add(tf.range(0, 4), tf.fill([4], 3)), tf.add(x!, tf.zeros([4]))),
    ["x"],
  ],
  ["where", { a: a34, b: b34, c: float([3, 4], 9) }, ({ a, b, c }) => tf.where(tf.greater(c!, 0), a!, b!), ["a", "b"]],
  ["where, broadcast", { a: a34, b: b34, c: column }, ({ a, b, c }) => tf.where(tf.greater(c!, 0), a!, b!)],
  ...[tf.equal, tf.notEqual, tf.greater, tf.greaterEqual, tf.less, tf.lessEqual].map(
    (compare, i): Case => [
      ["equal", "notEqual", "greater", "greaterEqual", "less", "lessEqual"][i]!,
      { a: ints([3, 4], 1, 3), b: ints([4], 2, 3) },
      ({ a, b }) => tf.cast(compare(a!, b!), "int32"),
    ],
  ),
  [
    "logical ops",
    { a: a34, b: b34 },
    ({ a, b }) => {
      const [p, q] = [tf.greater(a!, 0), tf.greater(b!, 0)];
      return tf.cast(tf.logicalOr(tf.logicalAnd(p, q), tf.logicalNot(p)), "int32");
    },
  ],
];

const list = (output: tf.Tensor | tf.Tensor[]) => (Array.isArray(output) ? output : [output]);
const named = (tensors: tf.Tensor[]): Tensors => Object.fromEntries(tensors.map((tensor, i) => [`${i}`, tensor]));

describe.each(devices)("every kernel gives on %s what TF.js's cpu backend gives", { timeout: 300_000 }, (device) => {
  // TensorFlow has other values for nothing, and its binding takes no axis from the end.
  const other = device.startsWith("tfjs") ? /^((mean|max|min) of zero rows|gather along axis -1)$/ : undefined;
  const inexact = device === "webgpu" ? /^(cos|sin)(?!.*zero-sized)/ : undefined;

  test.each(cases.filter(([name]) => !(inexact ?? other)?.test(name)))("%s", async (_, inputs, op) => {
    const { fast, slow } = await bothEngines(
      (_state, batch) => ({ state: {}, results: named(list(op(batch))) }),
      inputs,
      device,
    );
    for (const name of Object.keys(slow)) expectClose(fast[name]!, slow[name]!);
  });
});

test.skipIf(!devices.includes("webgpu")).each([
  ["cos", tf.cos],
  ["sin", tf.sin],
] as const)("%s is refused on WebGPU, which is not exact enough", async (_, op) => {
  const program = (_state: Tensors, { x }: Tensors) => ({ state: {}, results: { y: op(x!) } });
  await expect(bothEngines(program, { x: a34 }, "webgpu")).rejects.toThrow(/is not exact enough on WebGPU/);
});

describe("every gradient gives what TF.js's cpu backend gives", () => {
  test.each(cases.filter(([, , , gradientOf]) => gradientOf?.length))("%s", async (_, inputs, op, gradientOf) => {
    const program = (_state: Tensors, batch: Tensors) => {
      // A weighted sum, so that no two elements have the same gradient.
      const f = (...xs: tf.Tensor[]) => {
        const outputs = list(op({ ...batch, ...Object.fromEntries(gradientOf!.map((name, i) => [name, xs[i]!])) }));
        return outputs
          .map((y) => tf.sum(tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape))))
          .reduce((sum, y) => tf.add(sum, y)) as tf.Scalar;
      };
      return { state: {}, results: named(tf.grads(f)(gradientOf!.map((name) => batch[name]!))) };
    };
    const { fast, slow } = await bothEngines(program, inputs);
    expect(Object.keys(fast)).toHaveLength(gradientOf!.length);
    for (const name of Object.keys(slow)) expectClose(fast[name]!, slow[name]!, 1e-4);
  });
});
