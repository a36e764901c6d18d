import { sizeOf } from "../../ops/program.ts";
import type { GraphDType, Value } from "./graph.ts";

/** Output shapes and types of TF.js kernels, as TF.js defines them. Attributes are TF.js's own. */

export type Output = { shape: number[]; dtype: GraphDType };
type Attrs = Record<string, unknown>;
/** Outputs of a kernel for `inputs` (in order). */
export type ShapeRule = (inputs: Value[], attrs: Attrs) => Output[];

export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[a.length - rank + axis] ?? 1;
    const right = b[b.length - rank + axis] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new Error(`shapes [${a}] and [${b}] do not broadcast`);
    }
    return left === 1 ? right : left;
  });
}

export const axesOf = (axis: unknown, rank: number): number[] => {
  const axes =
    axis === undefined || axis === null ? [...Array(rank).keys()] : Array.isArray(axis) ? axis : [axis as number];
  return axes.map((a: number) => (a < 0 ? a + rank : a));
};

const unary: ShapeRule = ([x]) => [{ shape: x!.shape, dtype: x!.dtype }];
const binary: ShapeRule = ([a, b]) => [{ shape: broadcastShape(a!.shape, b!.shape), dtype: a!.dtype }];
const comparison: ShapeRule = ([a, b]) => [{ shape: broadcastShape(a!.shape, b!.shape), dtype: "bool" }];

const reduction =
  (axisName: string, dtype?: GraphDType): ShapeRule =>
  ([x], attrs) => {
    const axes = axesOf(attrs[axisName], x!.shape.length);
    const shape = attrs.keepDims
      ? x!.shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
      : x!.shape.filter((_, axis) => !axes.includes(axis));
    return [{ shape, dtype: dtype ?? (x!.dtype === "bool" ? "int32" : x!.dtype) }];
  };

/** Replaces the single -1 in a TF.js shape or split by its inferred size. */
function inferred(sizes: number[], total: number): number[] {
  const known = sizes.filter((size) => size !== -1);
  return sizes.map((size) => (size === -1 ? total / sizeOf(known) : size));
}

const matMul: ShapeRule = ([a, b], { transposeA, transposeB }) => {
  const rows = a!.shape.at(transposeA ? -1 : -2)!;
  const columns = b!.shape.at(transposeB ? -2 : -1)!;
  return [{ shape: [...broadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), rows, columns], dtype: a!.dtype }];
};

export const shapeRules: Record<string, ShapeRule> = {
  ...Object.fromEntries(
    [
      "Identity",
      "Sqrt",
      "Rsqrt",
      "Square",
      "Exp",
      "Log",
      "Neg",
      "Abs",
      "Sigmoid",
      "Tanh",
      "Erf",
      "Cos",
      "Sin",
      "Floor",
      "Step",
      "Sign",
    ].map((name) => [name, unary]),
  ),
  ...Object.fromEntries(["ZerosLike", "OnesLike", "Softmax", "LogSoftmax", "Cumsum"].map((name) => [name, unary])),
  ...Object.fromEntries(
    ["Add", "Sub", "Multiply", "RealDiv", "FloorDiv", "Mod", "Pow", "Maximum", "Minimum", "SquaredDifference"].map(
      (name) => [name, binary],
    ),
  ),
  ...Object.fromEntries(
    ["Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr"].map((name) => [
      name,
      comparison,
    ]),
  ),
  LogicalNot: unary,
  Cast: ([x], { dtype }) => [{ shape: x!.shape, dtype: dtype as GraphDType }],
  Reshape: ([x], { shape }) => [{ shape: inferred(shape as number[], sizeOf(x!.shape)), dtype: x!.dtype }],
  ExpandDims: ([x], { dim }) => {
    const at = dim as number;
    return [{ shape: x!.shape.toSpliced(at < 0 ? at + x!.shape.length + 1 : at, 0, 1), dtype: x!.dtype }];
  },
  Transpose: ([x], { perm }) => [{ shape: (perm as number[]).map((axis) => x!.shape[axis]!), dtype: x!.dtype }],
  Tile: ([x], { reps }) => [{ shape: x!.shape.map((size, axis) => size * (reps as number[])[axis]!), dtype: x!.dtype }],
  Concat: (inputs, { axis }) => {
    const [first] = inputs;
    const [along] = axesOf(axis, first!.shape.length);
    const total = inputs.reduce((sum, input) => sum + input.shape[along!]!, 0);
    return [{ shape: first!.shape.with(along!, total), dtype: first!.dtype }];
  },
  SplitV: ([x], { numOrSizeSplits, axis }) => {
    const [along] = axesOf(axis, x!.shape.length);
    const length = x!.shape[along!]!;
    const sizes = splitSizes(numOrSizeSplits as number | number[], length);
    return sizes.map((size) => ({ shape: x!.shape.with(along!, size), dtype: x!.dtype }));
  },
  Slice: ([x], { begin, size }) => {
    const starts = begin as number[];
    return [
      {
        shape: (size as number[]).map((length, axis) => (length === -1 ? x!.shape[axis]! - starts[axis]! : length)),
        dtype: x!.dtype,
      },
    ];
  },
  GatherV2: ([x, indices], { axis }) => {
    const [along] = axesOf(axis, x!.shape.length);
    return [{ shape: x!.shape.toSpliced(along!, 1, ...indices!.shape), dtype: x!.dtype }];
  },
  UnsortedSegmentSum: ([x], { numSegments }) => [
    { shape: [numSegments as number, ...x!.shape.slice(1)], dtype: x!.dtype },
  ],
  BatchMatMul: matMul,
  Sum: reduction("axis"),
  Mean: reduction("axis", "float32"),
  Max: reduction("reductionIndices"),
  Min: reduction("axis"),
  ArgMax: ([x], { axis }) => {
    const [along] = axesOf(axis, x!.shape.length);
    return [{ shape: x!.shape.toSpliced(along!, 1), dtype: "int32" }];
  },
  TopK: ([x], { k }) => {
    const shape = x!.shape.with(-1, k as number);
    return [
      { shape, dtype: x!.dtype },
      { shape, dtype: "int32" },
    ];
  },
  OneHot: ([indices], { depth, dtype }) => [
    { shape: [...indices!.shape, depth as number], dtype: dtype as GraphDType },
  ],
  Select: ([, t, e]) => [{ shape: broadcastShape(t!.shape, e!.shape), dtype: t!.dtype }],
  // Kernels of server/ops, which TF.js does not have.
  After: unary,
  Choose: ([, a]) => [a!],
  PlaceRows: unary,
  Float16: unary,
  Rotary: unary,
  MaskedSoftmax: unary,
  SwiGlu: unary,
  SwiGluGrad: ([dy]) => [dy!, dy!],
  RmsNorm: ([x]) => [x!, { shape: [x!.shape[0]!, 1], dtype: "float32" }],
  RmsNormGrad: ([, x, weight]) => [x!, weight!],
  CrossEntropy: ([logits]) => [{ shape: [logits!.shape[0]!], dtype: "float32" }, logits!],
  CrossEntropyGrad: ([, logProbs]) => [logProbs!],
  EmbeddingGrad: ([dy], { vocab }) => [{ shape: [vocab as number, dy!.shape[1]!], dtype: "float32" }],
  GroupedMatMul: ([x, , weight], { transposeW }) => [
    { shape: [x!.shape[0]!, weight!.shape[transposeW ? 0 : 1]!], dtype: "float32" },
  ],
  GroupedWeightGrad: ([x, dy], { experts }) =>
    Array.from({ length: experts as number }, () => ({ shape: [dy!.shape[1]!, x!.shape[1]!], dtype: "float32" })),
  RouteOrder: ([chosen], { experts }) => [chosen!, chosen!, { shape: [experts as number], dtype: "int32" }],
};

/** Sizes of the pieces of a TF.js split of an axis of `length`. */
export function splitSizes(numOrSizeSplits: number | number[], length: number): number[] {
  if (typeof numOrSizeSplits === "number") return Array(numOrSizeSplits).fill(length / numOrSizeSplits);
  const known = numOrSizeSplits.reduce((sum, size) => sum + Math.max(size, 0), 0);
  return numOrSizeSplits.map((size) => (size === -1 ? length - known : size));
}
