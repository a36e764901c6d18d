import { sizeOf } from "../../../ops/program.ts";
import type { Builder, Rule } from "./builder.ts";

/** ONNX forms of the ops of server/ops, which TF.js core lacks and a transformer needs as single kernels. */

const microsoft = "com.microsoft";

/** silu(gate) * up, elementwise. */
export function swiGlu(build: Builder, gate: string, up: string): string {
  const silu = build.node("Mul", [gate, build.node("Sigmoid", [gate])]);
  return build.node("Mul", [silu, up]);
}

/** The gradients of gate and up; see `swiGlu` in ops/. */
export function swiGluGradient(build: Builder, [dy, gate, up]: [string, string, string]): [string, string] {
  const sigmoid = build.node("Sigmoid", [gate]);
  const dUp = build.node("Mul", [dy, build.node("Mul", [gate, sigmoid])]);
  const rest = build.node("Mul", [sigmoid, build.node("Sub", [dy, dUp])]);
  return [build.node("Mul", [up, build.node("Add", [dUp, rest])]), dUp];
}

const rotary: Rule = ({ names: [x, cos, sin], values: [input, table], attrs, build }) => {
  const [batch, time] = input!.shape as [number, number];
  const [tableBatch, , half] = table!.shape as [number, number, number];
  // cos, sin [B or 1, T, hd/2] become one cache [B*T or T, hd/2] with the row of every (batch, time).
  const ids = BigInt64Array.from({ length: batch * time }, (_, i) => BigInt(tableBatch === 1 ? i % time : i));
  const positions = build.constant("int64", [batch, time], ids);
  const cache = (name: string) => build.node("Reshape", [name, build.ints([tableBatch * time, half])]);
  const heads = attrs.heads as number;
  return build.node(
    "RotaryEmbedding",
    [x!, positions, cache(cos!), cache(sin!)],
    { num_heads: heads, interleaved: 0 },
    microsoft,
  );
};

const rmsNorm: Rule = ({ names: [x, weight], attrs, build }) =>
  build.many("SimplifiedLayerNormalization", [x!, weight!], {
    attributes: { axis: -1, epsilon: { float: attrs.eps as number }, stash_type: 1 },
    outputs: 2,
  });

const rmsNormGrad: Rule = ({ names: [dy, x, weight, r], values: [, input], build }) => {
  const [, width] = input!.shape as [number, number];
  // dx = r (dy w) - x r^3/D sum(dy w x); dw = sum over rows of dy x r
  const product = build.node("Mul", [dy!, x!]);
  const column = build.node("Reshape", [weight!, build.ints([width, 1])]);
  const sum = build.node("MatMul", [product, column]);
  const cube = build.node("Mul", [build.node("Mul", [r!, r!]), build.node("Mul", [r!, build.float(1 / width)])]);
  const pull = build.node("Mul", [x!, build.node("Mul", [sum, cube])]);
  const direct = build.node("Mul", [build.node("Mul", [dy!, weight!]), r!]);
  const dx = build.node("Sub", [direct, pull]);
  const dweight = build.node("Gemm", [r!, product], { transA: 1 });
  return [dx, build.node("Reshape", [dweight, build.ints([width])])];
};

const crossEntropy: Rule = ({ names: [logits, targets], values: [, ids], build }) => {
  const rows = ids!.shape[0]!;
  const logProbs = build.node("LogSoftmax", [logits!], { axis: -1 });
  const column = build.node("Reshape", [targets!, build.ints([rows, 1])]);
  const chosen = build.node("GatherElements", [logProbs, column], { axis: 1 });
  return [build.node("Reshape", [build.node("Neg", [chosen]), build.ints([rows])]), logProbs];
};

const crossEntropyGrad: Rule = ({ names: [dnll, logProbs, targets], values: [, , ids], build }) => {
  const column = build.ints([ids!.shape[0]!, 1]);
  const scale = build.node("Reshape", [dnll!, column]);
  const soft = build.node("Mul", [build.node("Exp", [logProbs!]), scale]);
  const rows = build.node("Reshape", [targets!, column]);
  return build.node("ScatterElements", [soft, rows, build.node("Neg", [scale])], { axis: 1, reduction: "add" });
};

/** Up to about this vocabulary size, a product with one-hot rows is faster than adding element by element. */
const smallVocabulary = 512;

const embeddingGrad: Rule = ({ names: [dy, ids], values: [gradient], attrs, build }) => {
  const [rows, width] = gradient!.shape as [number, number];
  const vocab = attrs.vocab as number;
  const column = build.node("Reshape", [ids!, build.ints([rows, 1])]);
  if (vocab <= smallVocabulary) {
    const tokens = build.constant(
      "int32",
      [1, vocab],
      Int32Array.from({ length: vocab }, (_, token) => token),
    );
    const chosen = build.node("Cast", [build.node("Equal", [column, tokens])], { to: 1 });
    return build.node("Gemm", [chosen, dy!], { transA: 1 });
  }
  const zeros = build.node("Expand", [build.float(0), build.ints([vocab, width])]);
  const spread = build.node("Expand", [column, build.ints([rows, width])]);
  return build.node("ScatterElements", [zeros, spread, dy!], { axis: 0, reduction: "add" });
};

const placeRows: Rule = ({ names: [places, rows, positions], values: [, fed], build }) => {
  const [batch, , time] = fed!.shape as [number, number, number];
  const column = build.node("Reshape", [positions!, build.ints([batch, 1, time, 1])]);
  const everywhere = build.node("Expand", [column, build.ints(fed!.shape)]);
  return build.node("ScatterElements", [places!, everywhere, rows!], { axis: 2 });
};

const routeOrder: Rule = ({ names: [chosen], values: [input], attrs, build }) => {
  const rows = input!.shape[0]!;
  const experts = attrs.experts as number;
  // Keys expert*S + row are unique, so the sort is stable whatever the sorting method.
  const positions = build.constant(
    "int64",
    [rows],
    BigInt64Array.from({ length: rows }, (_, i) => BigInt(i)),
  );
  const wide = build.node("Cast", [chosen!], { to: 7 });
  const keys = build.node("Add", [
    build.node("Mul", [wide, build.constant("int64", [], BigInt64Array.of(BigInt(rows)))]),
    positions,
  ]);
  const [, order] = build.many("TopK", [keys, build.ints([rows])], {
    attributes: { axis: 0, largest: 0, sorted: 1 },
    outputs: 2,
  });
  const range = build.constant(
    "int32",
    [rows],
    Int32Array.from({ length: rows }, (_, i) => i),
  );
  const inverse = build.node("ScatterElements", [range, order!, range], { axis: 0 });
  const column = build.node("Reshape", [chosen!, build.ints([rows, 1])]);
  const names = build.constant(
    "int32",
    [1, experts],
    Int32Array.from({ length: experts }, (_, e) => e),
  );
  const hits = build.node("Cast", [build.node("Equal", [column, names])], { to: 6 });
  const sizes = build.node("ReduceSum", [hits, build.ints([0])], { keepdims: 0 });
  return [build.node("Cast", [order!], { to: 6 }), inverse, sizes];
};

/** x plus a zero that is computed from `first`, because the runtime orders nodes by data dependencies alone. */
const after: Rule = ({ names: [x, first], values: [, other], build }) => {
  const flat = build.node("Reshape", [first!, build.ints([sizeOf(other!.shape)])]);
  const one = build.node("Slice", [flat, build.ints([0]), build.ints([1])]);
  return build.node("Add", [x!, build.node("Mul", [one, build.float(0)])]);
};

export const modelRules: Record<string, Rule> = {
  After: after,
  Choose: ({ names, build }) => build.node("Where", names),
  Rotary: rotary,
  MaskedSoftmax: ({ names: [scores, mask], build }) =>
    build.node("Softmax", [build.node("Add", [scores!, mask!])], { axis: -1 }),
  SwiGlu: ({ names: [gate, up], build }) => swiGlu(build, gate!, up!),
  SwiGluGrad: ({ names: [dy, gate, up], build }) => swiGluGradient(build, [dy!, gate!, up!]),
  RmsNorm: rmsNorm,
  RmsNormGrad: rmsNormGrad,
  CrossEntropy: crossEntropy,
  CrossEntropyGrad: crossEntropyGrad,
  EmbeddingGrad: embeddingGrad,
  PlaceRows: placeRows,
  RouteOrder: routeOrder,
};
