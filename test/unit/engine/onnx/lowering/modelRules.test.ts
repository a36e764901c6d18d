import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { causalAttention, causalBlocks } from "../../../../../server/ops/causalAttention.ts";
import { combine } from "../../../../../server/ops/combine.ts";
import { crossEntropy } from "../../../../../server/ops/crossEntropy.ts";
import { dispatch } from "../../../../../server/ops/dispatch.ts";
import { embedding } from "../../../../../server/ops/embedding.ts";
import { groupedMatMul } from "../../../../../server/ops/groupedMatMul.ts";
import { placeRows } from "../../../../../server/ops/placeRows.ts";
import type { Tensors } from "../../../../../server/ops/program.ts";
import { rmsNorm } from "../../../../../server/ops/rmsNorm.ts";
import { rotary } from "../../../../../server/ops/rotary.ts";
import { routeOrder } from "../../../../../server/ops/routeOrder.ts";
import { swiGlu } from "../../../../../server/ops/swiGlu.ts";
import { bothEngines, devices, expectClose, float, type Input, ints } from "../../../../fixtures/engine.ts";

/** Every op with a fused ONNX form, and its gradient, against the composition of TF.js's own ops on `cpu`. */
type Case = [name: string, inputs: Record<string, Input>, differentiable: string[], op: (t: Tensors) => tf.Tensor];

const sizes = (...rows: number[]): Input => ({ shape: [rows.length], data: Int32Array.from(rows) });
const weights = { w0: float([5, 4], 11), w1: float([5, 4], 12), w2: float([5, 4], 13) };
const grouped = (rows: Input): Case => [
  `grouped matmul with ${rows.data.join(", ")} rows`,
  { x: float([[...rows.data].reduce((sum, n) => sum + n, 0), 4], 1), sizes: rows, ...weights },
  ["x", "w0", "w1", "w2"],
  ({ x, sizes: s, w0, w1, w2 }) => groupedMatMul(x!, s!, [w0!, w1!, w2!]),
];
const angles = (batch: number) => ({ cos: float([batch, 6, 2], 21), sin: float([batch, 6, 2], 22) });

const cases: Case[] = [
  grouped(sizes(2, 3, 4)),
  grouped(sizes(0, 9, 0)),
  grouped(sizes(9, 0, 0)),
  grouped(sizes(0, 4, 5)),
  grouped(sizes(130, 0, 71)),
  // A last group without weights, whose rows are for nobody.
  grouped(sizes(2, 3, 4, 6)),
  grouped(sizes(0, 0, 0, 5)),
  grouped(sizes(40, 0, 3, 0)),
  [
    "a chain of grouped products: the experts' feed-forward block",
    {
      x: float([9, 4], 1),
      s: sizes(4, 0, 5),
      ...weights,
      u0: float([5, 4], 31),
      u1: float([5, 4], 32),
      u2: float([5, 4], 33),
      d0: float([4, 5], 34),
      d1: float([4, 5], 35),
      d2: float([4, 5], 36),
    },
    ["x", "w0", "w1", "w2", "u0", "u1", "u2", "d0", "d1", "d2"],
    (t) => {
      const hidden = swiGlu(
        groupedMatMul(t.x!, t.s!, [t.w0!, t.w1!, t.w2!]),
        groupedMatMul(t.x!, t.s!, [t.u0!, t.u1!, t.u2!]),
      );
      return groupedMatMul(hidden, t.s!, [t.d0!, t.d1!, t.d2!]);
    },
  ],
  [
    "dispatch to two experts a token and combine",
    {
      x: float([5, 3], 1),
      gates: float([5, 2], 2),
      chosen: { shape: [10], data: Int32Array.of(2, 0, 1, 2, 2, 0, 0, 2, 2, 0) },
    },
    ["x", "gates"],
    ({ x, gates, chosen }) => {
      const { order, inverse } = routeOrder(chosen!, 4);
      return combine(tf.square(dispatch(x!, order, inverse, 2)), gates!, order, inverse);
    },
  ],
  [
    "rotary, one table a sequence",
    { x: float([2, 6, 12], 1), ...angles(2) },
    ["x"],
    ({ x, cos, sin }) => rotary(x!, cos!, sin!, 3),
  ],
  ["RMS norm", { x: float([6, 8], 1), w: float([8], 2) }, ["x", "w"], ({ x, w }) => rmsNorm(x!, w!, 1e-5)],
  ["SwiGLU", { g: float([6, 8], 1, 3), u: float([6, 8], 2) }, ["g", "u"], ({ g, u }) => swiGlu(g!, u!)],
  ["SwiGLU of nothing", { g: float([0, 8], 1), u: float([0, 8], 2) }, ["g", "u"], ({ g, u }) => swiGlu(g!, u!)],
  ["cross-entropy", { x: float([6, 8], 1, 3), t: ints([6], 2, 8) }, ["x"], ({ x, t }) => crossEntropy(x!, t!)],
  [
    "rows put at places",
    { x: float([2, 3, 5, 4], 1), rows: float([2, 3, 2, 4], 2), at: { shape: [2, 2], data: Int32Array.of(1, 4, 3, 0) } },
    [],
    ({ x, rows, at }) => placeRows(x!, rows!, at!),
  ],
  ...[5, 600].map(
    (vocab): Case => [
      `embedding with repeated ids, a vocabulary of ${vocab}`,
      { w: float([vocab, 3], 1), ids: ints([40], 2, Math.min(vocab, 30)) },
      ["w"],
      ({ w, ids }) => embedding(w!, ids!),
    ],
  ),
  ...[1, 2, 3].map(
    (blocks): Case => [
      `causal attention of grouped queries in ${blocks} blocks`,
      { q: float([2, 2, 14, 4], 1), k: float([2, 2, 7, 4], 2), v: float([2, 2, 7, 4], 3) },
      ["q", "k", "v"],
      ({ q, k, v }) => causalAttention(q!, k!, v!, causalBlocks(7, 2, { count: blocks })),
    ],
  ),
];

describe.each(devices)("every op of a model gives on %s what its composition gives on TF.js's cpu backend", {
  timeout: 300_000,
}, (device) => {
  test.each(cases)("%s", async (_, inputs, differentiable, op) => {
    const program = (_state: Tensors, batch: Tensors) => {
      const total = (...xs: tf.Tensor[]) => {
        const y = op({ ...batch, ...Object.fromEntries(differentiable.map((name, i) => [name, xs[i]!])) });
        return tf.sum(tf.mul(y, tf.reshape(tf.range(1, y.size + 1), y.shape))) as tf.Scalar;
      };
      const gradients = differentiable.length > 0 ? tf.grads(total)(differentiable.map((name) => batch[name]!)) : [];
      return {
        state: {},
        results: { value: op(batch), ...Object.fromEntries(differentiable.map((name, i) => [name, gradients[i]!])) },
      };
    };
    const { fast, slow } = await bothEngines(program, inputs, device);
    for (const name of ["value", ...differentiable]) expectClose(fast[name]!, slow[name]!, 2e-4);
  });

  test.each([
    ["spread over experts", [2, 0, 1, 2, 2, 0, 1, 1]],
    ["all to one expert", [1, 1, 1, 1]],
    ["of many blocks of rows", [...ints([5000], 3, 3).data]],
    ["of a prime number of rows", [...ints([257], 4, 3).data]],
  ])("route order, %s", async (_, chosen) => {
    const program = (_state: Tensors, { c }: Tensors) => ({ state: {}, results: { ...routeOrder(c!, 3) } });
    const inputs = { c: { shape: [chosen.length], data: Int32Array.from(chosen) } };
    const { fast, slow } = await bothEngines(program, inputs, device);
    for (const name of ["order", "inverse", "sizes"]) expect([...fast[name]!]).toEqual([...slow[name]!]);
  });
});
