import type { GraphNode, Value } from "../../graph/graph.ts";
import { axesOf } from "../../graph/shapes.ts";
import type { Builder } from "./builder.ts";
import { dtypeCode } from "./encode.ts";
import { swiGlu, swiGluGradient } from "./modelRules.ts";
import type { RowLayout } from "./rowLayout.ts";

/**
 * Rules for rows grouped by expert, where the number of rows per expert is known only at run time. Rows stay grouped
 * between two grouped products.
 */

/** Rows of a tensor, sorted by expert with the run-time sizes in `sizes`, laid out for products by expert. */
export interface Pieces {
  sizes: Value;
  names: string[];
}

/** The part of the lowering that rules on pieces use. */
export interface GroupedLowering {
  readonly build: Builder;
  /** The ONNX name of a value; joins its pieces or adds its constant on first use. */
  name(value: Value): string;
  /** The existing pieces of `value` for these sizes, if any. */
  existingPieces(value: Value, sizes?: Value): Pieces | undefined;
  /** `value` [S, ...] cut in rows by `sizes` [E]. */
  piecesOf(value: Value, sizes: Value): Pieces;
  /** The layout of S rows cut by `sizes` [E]. */
  layoutOf(sizes: Value, rows: number): RowLayout;
}
/**
 * Writes the ONNX nodes of one kernel for each piece; returns undefined if the kernel is better computed as a whole.
 */
export type GroupedRule = (lowering: GroupedLowering, node: GraphNode) => (Pieces | string)[] | undefined;

const groupedMatMul: GroupedRule = (lowerer, { inputs, attrs, outputs }) => {
  const [x, sizes, ...weights] = [...inputs.values()];
  const rows = lowerer.piecesOf(x!, sizes!);
  const matrices = weights.map((weight) => lowerer.name(weight));
  const layout = lowerer.layoutOf(sizes!, x!.shape[0]!);
  const { shape, dtype } = outputs[0]!;
  const names = layout.product(rows.names, matrices, attrs.transposeW as boolean, shape[1]!, dtype);
  return [{ sizes: sizes!, names }];
};

/** Weight gradient of each expert [F, D]: dy_e^T x_e; zero for an expert without rows. */
const groupedWeightGrad: GroupedRule = (lowerer, { inputs, outputs }) => {
  const [x, dy, sizes] = [...inputs.values()];
  const rows = lowerer.piecesOf(x!, sizes!).names;
  const gradients = lowerer.piecesOf(dy!, sizes!).names;
  const layout = lowerer.layoutOf(sizes!, x!.shape[0]!);
  const { shape, dtype } = outputs[0]!;
  return layout.weightGradients(rows, gradients, outputs.length, shape as [number, number], dtype);
};

/** The pieces of all inputs if at least the first is in pieces; undefined if joining them is cheaper or necessary. */
function together(lowerer: GroupedLowering, values: Value[]): Pieces[] | undefined {
  const [lead] = values.flatMap((value) => lowerer.existingPieces(value) ?? []);
  if (!lead || values.some((value) => value.shape[0] !== values[0]!.shape[0])) return undefined;
  return values.map((value) => lowerer.piecesOf(value, lead.sizes));
}

const rowByRow =
  (op: string): GroupedRule =>
  (lowerer, { inputs, outputs }) => {
    const values = [...inputs.values()];
    if (!values.some((value) => lowerer.existingPieces(value))) return undefined;
    if (values.some(({ shape }) => shape.length !== outputs[0]!.shape.length)) return undefined;
    const pieces = together(lowerer, values);
    if (!pieces) return undefined;
    const names = pieces[0]!.names.map((_, e) =>
      lowerer.build.node(
        op,
        pieces.map((each) => each.names[e]!),
      ),
    );
    return [{ sizes: pieces[0]!.sizes, names }];
  };

/** Sum along the last axis: one number per row. */
const sumOfRow: GroupedRule = (lowerer, { inputs, attrs }) => {
  const [x] = [...inputs.values()];
  const rank = x!.shape.length;
  const pieces = lowerer.existingPieces(x!);
  const axes = axesOf(attrs.axis, rank);
  if (!pieces || rank < 2 || axes.length !== 1 || axes[0] !== rank - 1) return undefined;
  const axis = lowerer.build.ints([rank - 1]);
  const names = pieces.names.map((piece) =>
    lowerer.build.node("ReduceSum", [piece, axis], { keepdims: attrs.keepDims ? 1 : 0 }),
  );
  return [{ sizes: pieces.sizes, names }];
};

export const groupedRules: Record<string, GroupedRule> = {
  GroupedMatMul: groupedMatMul,
  GroupedWeightGrad: groupedWeightGrad,
  Add: rowByRow("Add"),
  Multiply: rowByRow("Mul"),
  Sub: rowByRow("Sub"),
  Sum: sumOfRow,
  Cast: (lowerer, { inputs, outputs }) => {
    const [x] = [...inputs.values()];
    const pieces = lowerer.existingPieces(x!);
    if (!pieces) return undefined;
    const to = dtypeCode[outputs[0]!.dtype];
    return [{ sizes: pieces.sizes, names: pieces.names.map((piece) => lowerer.build.node("Cast", [piece], { to })) }];
  },
  SwiGlu: (lowerer, { inputs }) => {
    const pieces = together(lowerer, [...inputs.values()]);
    if (!pieces) return undefined;
    const [gate, up] = pieces;
    const names = gate!.names.map((piece, e) => swiGlu(lowerer.build, piece, up!.names[e]!));
    return [{ sizes: gate!.sizes, names }];
  },
  SwiGluGrad: (lowerer, { inputs }) => {
    const pieces = together(lowerer, [...inputs.values()]);
    if (!pieces) return undefined;
    const [dy, gate, up] = pieces;
    const both = dy!.names.map((piece, e) => swiGluGradient(lowerer.build, [piece, gate!.names[e]!, up!.names[e]!]));
    return [0, 1].map((index) => ({ sizes: dy!.sizes, names: both.map((pair) => pair[index]!) }));
  },
};
