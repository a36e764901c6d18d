import { axesOf, splitSizes } from "../../graph/shapes.ts";
import type { Lowering, Rule } from "./builder.ts";
import { dtypeCode } from "./encode.ts";

/** ONNX forms of TF.js's own kernels, and of the kernels that `fold` combines from them. */

const simple =
  (op: string): Rule =>
  ({ names, build }) =>
    build.node(op, names);

const reduction =
  (op: string, axisName = "axis"): Rule =>
  ({ names, values: [x], attrs, build, output }) => {
    const input =
      x!.dtype === output.dtype ? names[0]! : build.node("Cast", [names[0]!], { to: dtypeCode[output.dtype] });
    const axes = axesOf(attrs[axisName], x!.shape.length);
    if (axes.length === 0) return build.node("Identity", [input]);
    return build.node(op, [input, build.ints(axes)], { keepdims: attrs.keepDims ? 1 : 0 });
  };

const cast = (lowering: Lowering, name: string): string =>
  lowering.build.node("Cast", [name], { to: dtypeCode[lowering.output.dtype] });

const matMul: Rule = ({ names, values: [a], attrs, build }) => {
  const transA = attrs.transposeA ? 1 : 0;
  const transB = attrs.transposeB ? 1 : 0;
  if (a!.shape.length === 2) return build.node("Gemm", names, { transA, transB });
  if (!transA && !transB) return build.node("MatMul", names);
  return build.node("FusedMatMul", names, { transA, transB }, "com.microsoft");
};

/** TF.js floors, but ONNX truncates integers: subtract 1 if the remainder's sign differs from the divisor's. */
export const floorDiv: Rule = ({ names: [a, b], output, build }) => {
  const quotient = build.node("Div", [a!, b!]);
  if (output.dtype === "float32") return build.node("Floor", [quotient]);
  const remainder = build.node("Sub", [a!, build.node("Mul", [quotient, b!])]);
  const zero = build.int32(0);
  const signs = build.node("Less", [build.node("Mul", [remainder, b!]), zero]);
  return build.node("Sub", [quotient, build.node("Cast", [signs], { to: 6 })]);
};

/**
 * TF.js's remainder has the divisor's sign. So has ONNX's for integers; for floats, add the divisor and divide again.
 */
const mod: Rule = ({ names: [a, b], output, build }) => {
  if (output.dtype === "int32") return build.node("Mod", [a!, b!]);
  const first = build.node("Mod", [a!, b!], { fmod: 1 });
  return build.node("Mod", [build.node("Add", [first, b!]), b!], { fmod: 1 });
};

const gather: Rule = ({ names, values: [x], attrs, build }) => {
  if (attrs.batchDims) throw new Error("gather with batchDims has no ONNX form here");
  return build.node("Gather", names, { axis: axesOf(attrs.axis, x!.shape.length)[0]! });
};

const oneHot: Rule = ({ names: [indices], values: [ids], attrs, output, build }) => {
  const depth = attrs.depth as number;
  const classes = build.constant(
    "int32",
    [depth],
    Int32Array.from({ length: depth }, (_, i) => i),
  );
  const column = build.node("Unsqueeze", [indices!, build.ints([ids!.shape.length])]);
  const hits = build.node("Equal", [column, classes]);
  const { onValue = 1, offValue = 0 } = attrs as { onValue?: number; offValue?: number };
  if (onValue === 1 && offValue === 0) return build.node("Cast", [hits], { to: dtypeCode[output.dtype] });
  const number = output.dtype === "float32" ? build.float.bind(build) : build.int32.bind(build);
  return build.node("Where", [hits, number(onValue), number(offValue)]);
};

const segmentSum: Rule = ({ names: [x, ids], values: [rows], output, build }) => {
  const zeros = build.node("Expand", [
    output.dtype === "float32" ? build.float(0) : build.int32(0),
    build.ints(output.shape),
  ]);
  const column = build.node("Reshape", [ids!, build.ints([rows!.shape[0]!, ...rows!.shape.slice(1).map(() => 1)])]);
  const spread = build.node("Expand", [column, build.ints(rows!.shape)]);
  return build.node("ScatterElements", [zeros, spread, x!], { axis: 0, reduction: "add" });
};

const slice: Rule = ({ names, attrs, output, build }) => {
  const starts = attrs.begin as number[];
  const ends = starts.map((start, axis) => start + output.shape[axis]!);
  return build.node("Slice", [names[0]!, build.ints(starts), build.ints(ends)]);
};

const split: Rule = ({ node, names, values: [x], attrs, build }) => {
  const [axis] = axesOf(attrs.axis, x!.shape.length);
  const sizes = splitSizes(attrs.numOrSizeSplits as number | number[], x!.shape[axis!]!);
  return build.many("Split", [names[0]!, build.ints(sizes)], {
    attributes: { axis: axis! },
    outputs: node.outputs.length,
  });
};

const topK: Rule = ({ names, attrs, build }) => {
  const { k, sorted } = attrs as { k: number; sorted: boolean };
  const [values, indices] = build.many("TopK", [names[0]!, build.ints([k])], {
    attributes: { axis: -1, largest: 1, sorted: sorted ? 1 : 0 },
    outputs: 2,
  });
  return [values!, build.node("Cast", [indices!], { to: 6 })];
};

const argMax: Rule = (lowering) => {
  const { names, values, attrs, build } = lowering;
  const axis = axesOf(attrs.axis, values[0]!.shape.length)[0]!;
  return cast(lowering, build.node("ArgMax", names, { axis, keepdims: 0 }));
};

/** 1 above zero, alpha below, NaN stays NaN. */
const step: Rule = ({ names: [x], attrs, build }) => {
  const above = build.node("Where", [
    build.node("Greater", [x!, build.float(0)]),
    build.float(1),
    build.float(attrs.alpha as number),
  ]);
  return build.node("Where", [build.node("IsNaN", [x!]), x!, above]);
};

/** WebGPU has no kernel for tiling booleans. */
const tile: Rule = ({ names: [x], attrs, output, build }) => {
  const tiled = (name: string) => build.node("Tile", [name, build.ints(attrs.reps as number[])]);
  if (output.dtype !== "bool") return tiled(x!);
  return build.node("Cast", [tiled(build.node("Cast", [x!], { to: dtypeCode.int32 }))], { to: dtypeCode.bool });
};

const not =
  (op: string): Rule =>
  ({ names, build }) =>
    build.node("Not", [build.node(op, names)]);

export const coreRules: Record<string, Rule> = {
  Identity: simple("Identity"),
  Add: simple("Add"),
  Sub: simple("Sub"),
  Multiply: simple("Mul"),
  RealDiv: simple("Div"),
  FloorDiv: floorDiv,
  Mod: mod,
  Pow: simple("Pow"),
  Maximum: simple("Max"),
  Minimum: simple("Min"),
  SquaredDifference: ({ names, build }) => {
    const difference = build.node("Sub", names);
    return build.node("Mul", [difference, difference]);
  },
  Sqrt: simple("Sqrt"),
  Rsqrt: ({ names, build }) => build.node("Reciprocal", [build.node("Sqrt", names)]),
  Square: ({ names: [x], build }) => build.node("Mul", [x!, x!]),
  Exp: simple("Exp"),
  Log: simple("Log"),
  Neg: simple("Neg"),
  Abs: simple("Abs"),
  Sign: simple("Sign"),
  Floor: simple("Floor"),
  Sigmoid: simple("Sigmoid"),
  Tanh: simple("Tanh"),
  Erf: simple("Erf"),
  Cos: simple("Cos"),
  Sin: simple("Sin"),
  Step: step,
  Equal: simple("Equal"),
  NotEqual: not("Equal"),
  Greater: simple("Greater"),
  GreaterEqual: simple("GreaterOrEqual"),
  Less: simple("Less"),
  LessEqual: simple("LessOrEqual"),
  LogicalAnd: simple("And"),
  LogicalOr: simple("Or"),
  LogicalNot: simple("Not"),
  Select: simple("Where"),
  Cast: (lowering) => cast(lowering, lowering.names[0]!),
  Reshape: ({ names, output, build }) => build.node("Reshape", [names[0]!, build.ints(output.shape)], { allowzero: 1 }),
  Transpose: ({ names, attrs, build }) => build.node("Transpose", names, { perm: attrs.perm as number[] }),
  Tile: tile,
  Concat: ({ names, values: [x], attrs, build }) =>
    build.node("Concat", names, { axis: axesOf(attrs.axis, x!.shape.length)[0]! }),
  SplitV: split,
  Slice: slice,
  GatherV2: gather,
  UnsortedSegmentSum: segmentSum,
  BatchMatMul: matMul,
  Sum: reduction("ReduceSum"),
  SumOfSquares: reduction("ReduceSumSquare"),
  Mean: reduction("ReduceMean"),
  Max: reduction("ReduceMax", "reductionIndices"),
  Min: reduction("ReduceMin"),
  ArgMax: argMax,
  Softmax: ({ names, attrs, build }) => build.node("Softmax", names, { axis: (attrs.dim as number | undefined) ?? -1 }),
  LogSoftmax: ({ names, attrs, build }) =>
    build.node("LogSoftmax", names, { axis: (attrs.axis as number | undefined) ?? -1 }),
  TopK: topK,
  OneHot: oneHot,
  Cumsum: ({ names, values: [x], attrs, build }) => {
    const axis = build.constant("int64", [], BigInt64Array.of(BigInt(axesOf(attrs.axis ?? 0, x!.shape.length)[0]!)));
    return build.node("CumSum", [names[0]!, axis], {
      exclusive: attrs.exclusive ? 1 : 0,
      reverse: attrs.reverse ? 1 : 0,
    });
  },
};
