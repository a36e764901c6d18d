import type { Builder, Rule } from "./builder.ts";
import { coreRules, floorDiv } from "./coreRules.ts";
import { dtypeCode } from "./encode.ts";

/**
 * ONNX forms for the WebGPU provider of kernels whose usual form has an operator without a WebGPU kernel
 * (`FusedMatMul`, `LogSoftmax`, `Cast` from int64, arithmetic and `TopK` of int64, `Mod`, `Sign`, `IsNaN`, `Or`, `Neg`
 * of integers) or with a slow one.
 */

const swapped = (rank: number): number[] => [...Array(rank - 2).keys(), rank - 1, rank - 2];

/**
 * Rows of a product from which it pays to transpose the second operand first: a `Gemm` that transposes it takes three
 * times as long.
 */
const manyRows = 256;

const matMul: Rule = (lowering) => {
  const {
    names: [a, b],
    values: [left, right],
    attrs,
    build,
  } = lowering;
  const turned = (name: string, rank: number) => build.node("Transpose", [name], { perm: swapped(rank) });
  const rank = left!.shape.length;
  const rows = left!.shape.at(attrs.transposeA ? -1 : -2)!;
  if (rank === 2 && (!attrs.transposeB || rows < manyRows)) return coreRules.BatchMatMul!(lowering);
  return build.node("MatMul", [
    attrs.transposeA ? turned(a!, rank) : a!,
    attrs.transposeB ? turned(b!, right!.shape.length) : b!,
  ]);
};

const counting = (build: Builder, length: number): string =>
  build.constant(
    "int32",
    [length],
    Int32Array.from({ length }, (_, i) => i),
  );

/** Casts ONNX's int64 indices, which are below `length`, to int32. */
const narrowed = (build: Builder, indices: string, length: number): string =>
  build.node("Gather", [counting(build, length), indices], { axis: 0 });

const topK: Rule = ({ names, values: [x], attrs, build }) => {
  const { k, sorted } = attrs as { k: number; sorted: boolean };
  const [values, indices] = build.many("TopK", [names[0]!, build.ints([k])], {
    attributes: { axis: -1, largest: 1, sorted: sorted ? 1 : 0 },
    outputs: 2,
  });
  return [values!, narrowed(build, indices!, x!.shape.at(-1)!)];
};

const argMax: Rule = ({ names, values: [x], attrs, build }) => {
  const rank = x!.shape.length;
  const axis = ((attrs.axis as number) + rank) % rank;
  return narrowed(build, build.node("ArgMax", names, { axis, keepdims: 0 }), x!.shape[axis]!);
};

/** x - log sum exp x along `axis`, computed after subtracting the maximum. */
function logSoftmax(build: Builder, x: string, axis: number): string {
  const axes = build.ints([axis]);
  const shifted = build.node("Sub", [x, build.node("ReduceMax", [x, axes], { keepdims: 1 })]);
  const total = build.node("ReduceSum", [build.node("Exp", [shifted]), axes], { keepdims: 1 });
  return build.node("Sub", [shifted, build.node("Log", [total])]);
}

const crossEntropy: Rule = ({ names: [logits, targets], values: [, ids], build }) => {
  const rows = ids!.shape[0]!;
  const logProbs = logSoftmax(build, logits!, 1);
  const column = build.node("Reshape", [targets!, build.ints([rows, 1])]);
  const chosen = build.node("GatherElements", [logProbs, column], { axis: 1 });
  return [build.node("Reshape", [build.node("Neg", [chosen]), build.ints([rows])]), logProbs];
};

/**
 * The provider's norm returns correct rows but not the inverse RMS [N, 1], which is sqrt(D) / sqrt(sum x^2 + D eps).
 */
const rmsNorm: Rule = ({ names: [x, weight], values: [input], attrs, build }) => {
  const eps = attrs.eps as number;
  const width = input!.shape[1]!;
  const normed = build.node("SimplifiedLayerNormalization", [x!, weight!], {
    axis: -1,
    epsilon: { float: eps },
    stash_type: 1,
  });
  const squares = build.node("ReduceSumSquare", [x!, build.ints([1])], { keepdims: 1 });
  const root = build.node("Sqrt", [build.node("Add", [squares, build.float(width * eps)])]);
  return [normed, build.node("Div", [build.float(Math.sqrt(width)), root])];
};

/** As in modelRules, but with sums instead of products with one row or column, which are many times slower. */
const rmsNormGrad: Rule = ({ names: [dy, x, weight, r], build }) => {
  const node = (op: string, ...inputs: string[]) => build.node(op, inputs);
  const product = node("Mul", dy!, x!);
  const mean = build.node("ReduceMean", [node("Mul", product, weight!), build.ints([1])], { keepdims: 1 });
  const pull = node("Mul", x!, node("Mul", mean, node("Mul", r!, r!)));
  const dx = node("Mul", node("Sub", node("Mul", dy!, weight!), pull), r!);
  return [dx, build.node("ReduceSum", [node("Mul", product, r!), build.ints([0])], { keepdims: 0 })];
};

/** Sums the squares by row first, because each sum is computed by a single workgroup. */
const sumOfSquares: Rule = (lowering) => {
  const { names, values, output, build } = lowering;
  const last = values[0]!.shape.length - 1;
  if (last < 1 || output.shape.length > 0) return coreRules.SumOfSquares!(lowering);
  const ofRows = build.node("ReduceSumSquare", [names[0]!, build.ints([last])], { keepdims: 0 });
  return build.node("ReduceSum", [ofRows], { keepdims: 0 });
};

/** The largest divisor of n that is at most `most`. */
function divisor(n: number, most: number): number {
  let found = Math.min(n, most);
  while (n % found !== 0) found--;
  return found;
}

/**
 * A counting sort of S rows: for each row, counts the earlier rows of the same expert in its block of B rows and in all
 * earlier blocks. The provider's own sort takes one call per step of the sort.
 */
const routeOrder: Rule = ({ names: [chosen], values: [input], attrs, build }) => {
  const rows = input!.shape[0]!;
  const experts = attrs.experts as number;
  const length = divisor(rows, 64);
  const blocks = rows / length;
  const reshape = (value: string, ...shape: number[]) => build.node("Reshape", [value, build.ints(shape)]);
  const sum = (value: string, axis: number) => build.node("ReduceSum", [value, build.ints([axis])], { keepdims: 0 });
  const sumBefore = (value: string, axis: number) => build.node("CumSum", [value, build.int32(axis)], { exclusive: 1 });
  const is = build.node("Equal", [reshape(chosen!, rows, 1), reshape(counting(build, experts), 1, experts)]);
  // [S, E] as [S / B, B, E]
  const hits = reshape(build.node("Cast", [is], { to: dtypeCode.int32 }), blocks, length, experts);
  const ofBlocks = sum(hits, 1);
  const sizes = sum(ofBlocks, 0);
  const before = build.node("Add", [sumBefore(ofBlocks, 0), sumBefore(sizes, 0)]);
  const places = build.node("Add", [sumBefore(hits, 1), reshape(before, blocks, 1, experts)]);
  // A row has one hit: [S / B, B, E] gives [S].
  const place = reshape(sum(build.node("Mul", [places, hits]), 2), rows);
  const range = counting(build, rows);
  return [build.node("ScatterElements", [range, place, range], { axis: 0 }), place, sizes];
};

/** The remainder with the divisor's sign, as in TF.js: a - b floor(a / b). */
const mod: Rule = (lowering) => {
  const {
    names: [a, b],
    build,
  } = lowering;
  return build.node("Sub", [a!, build.node("Mul", [b!, floorDiv(lowering) as string])]);
};

const negative: Rule = ({ names: [x], output, build }) =>
  output.dtype === "int32" ? build.node("Sub", [build.int32(0), x!]) : build.node("Neg", [x!]);

const sign: Rule = ({ names: [x], output, build }) => {
  const to = dtypeCode[output.dtype];
  const zero = output.dtype === "int32" ? build.int32(0) : build.float(0);
  const is = (op: string) => build.node("Cast", [build.node(op, [x!, zero])], { to });
  return build.node("Sub", [is("Greater"), is("Less")]);
};

/** 1 above zero, alpha below; NaN stays NaN. */
const step: Rule = ({ names: [x], attrs, build }) => {
  const is = (op: string) => build.node(op, [x!, build.float(0)]);
  const below = build.node("Where", [is("LessOrEqual"), build.float(attrs.alpha as number), x!]);
  return build.node("Where", [is("Greater"), build.float(1), below]);
};

const or: Rule = ({ names, build }) => {
  const neither = build.node(
    "And",
    names.map((name) => build.node("Not", [name])),
  );
  return build.node("Not", [neither]);
};

/** WGSL guarantees a cosine only to 2^-11 and only between -pi and pi, which is not accurate enough for a model. */
const inexact: Rule = ({ node }) => {
  throw new Error(`op ${node.kernel} is not exact enough on WebGPU: compute it before the program`);
};

export const webgpuRules: Record<string, Rule> = {
  Cos: inexact,
  Sin: inexact,
  Mod: mod,
  Neg: negative,
  Sign: sign,
  Step: step,
  LogicalOr: or,
  BatchMatMul: matMul,
  TopK: topK,
  ArgMax: argMax,
  LogSoftmax: ({ names: [x], attrs, build }) => logSoftmax(build, x!, (attrs.axis as number | undefined) ?? -1),
  SumOfSquares: sumOfSquares,
  RmsNorm: rmsNorm,
  RmsNormGrad: rmsNormGrad,
  CrossEntropy: crossEntropy,
  RouteOrder: routeOrder,
};
