import type { Builder } from "./builder.ts";
import { floorDiv } from "./coreRules.ts";
import type { Rule } from "./rule.ts";
import { dtypeCode } from "./types.ts";

/**
 * ONNX forms for the WebGPU provider of kernels whose usual form has an operator without a WebGPU kernel: `FusedMatMul`,
 * `LogSoftmax`, `Cast` from int64, arithmetic and `TopK` of int64, `Mod`, `Sign`,
 * `IsNaN`, `Or`, `Neg` of integers, `Tile` of booleans.
 */

const swapped = (rank: number): number[] => [...Array(rank - 2).keys(), rank - 1, rank - 2];

const matMul: Rule = ({ names: [a, b], values: [left, right], attrs, build }) => {
  const transA = attrs.transposeA ? 1 : 0;
  const transB = attrs.transposeB ? 1 : 0;
  if (left!.shape.length === 2) return build.node("Gemm", [a!, b!], { transA, transB });
  const turned = (name: string, rank: number) => build.node("Transpose", [name], { perm: swapped(rank) });
  return build.node("MatMul", [
    transA ? turned(a!, left!.shape.length) : a!,
    transB ? turned(b!, right!.shape.length) : b!,
  ]);
};

const counting = (build: Builder, length: number): string =>
  build.constant(
    "int32",
    [length],
    Int32Array.from({ length }, (_, i) => i),
  );

/** Indices below `length`, int64 as ONNX gives them, as int32. */
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

/** x - log sum exp x along `axis`, shifted by the largest. */
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

/** The provider's norm gives the normed rows rightly, but not what it divides by, [N, 1]. */
const rmsNorm: Rule = ({ names: [x, weight], values: [input], attrs, build }) => {
  const eps = attrs.eps as number;
  const normed = build.node("SimplifiedLayerNormalization", [x!, weight!], {
    axis: -1,
    epsilon: { float: eps },
    stash_type: 1,
  });
  const squares = build.node("ReduceSumSquare", [x!, build.ints([1])], { keepdims: 1 });
  const mean = build.node("Mul", [squares, build.float(1 / input!.shape[1]!)]);
  return [normed, build.node("Reciprocal", [build.node("Sqrt", [build.node("Add", [mean, build.float(eps)])])])];
};

/** Its `TopK` is a sort that keeps equal keys in their order. Expert numbers are exact in float32. */
const routeOrder: Rule = ({ names: [chosen], values: [input], attrs, build }) => {
  const rows = input!.shape[0]!;
  const experts = attrs.experts as number;
  const keys = build.node("Cast", [chosen!], { to: 1 });
  const [, order] = build.many("TopK", [keys, build.ints([rows])], {
    attributes: { axis: 0, largest: 0, sorted: 1 },
    outputs: 2,
  });
  const range = counting(build, rows);
  const inverse = build.node("ScatterElements", [range, order!, range], { axis: 0 });
  const column = build.node("Reshape", [chosen!, build.ints([rows, 1])]);
  const names = build.node("Reshape", [counting(build, experts), build.ints([1, experts])]);
  const hits = build.node("Cast", [build.node("Equal", [column, names])], { to: 6 });
  const sizes = build.node("ReduceSum", [hits, build.ints([0])], { keepdims: 0 });
  return [narrowed(build, order!, rows), inverse, sizes];
};

/** The remainder with the divisor's sign, as TF.js has it: a - b floor(a / b). */
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

/** 1 above zero, alpha below, NaN stays NaN: it is neither. */
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

const tile: Rule = ({ names: [x], attrs, output, build }) => {
  const tiled = (name: string) => build.node("Tile", [name, build.ints(attrs.reps as number[])]);
  if (output.dtype !== "bool") return tiled(x!);
  return build.node("Cast", [tiled(build.node("Cast", [x!], { to: dtypeCode.int32 }))], { to: dtypeCode.bool });
};

/** WGSL promises a cosine to 2^-11 only, between -pi and pi: no model is computed with that. */
const inexact: Rule = ({ node }) => {
  throw new Error(`op ${node.kernel} is not exact enough on WebGPU: work it out before the program`);
};

export const webgpuRules: Record<string, Rule> = {
  Cos: inexact,
  Sin: inexact,
  Mod: mod,
  Neg: negative,
  Sign: sign,
  Step: step,
  LogicalOr: or,
  Tile: tile,
  BatchMatMul: matMul,
  TopK: topK,
  ArgMax: argMax,
  LogSoftmax: ({ names: [x], attrs, build }) => logSoftmax(build, x!, (attrs.axis as number | undefined) ?? -1),
  RmsNorm: rmsNorm,
  CrossEntropy: crossEntropy,
  RouteOrder: routeOrder,
};
