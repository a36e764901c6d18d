import type { Value } from "../../graph/graph.ts";
import { axesOf } from "../../graph/shapes.ts";
import { swiGlu, swiGluGradient } from "./modelRules.ts";
import type { PieceLowering, PieceRule, Pieces } from "./rule.ts";
import { dtypeCode } from "./types.ts";

/**
 * Rules that work on rows laid out by expert, with as many rows an expert as it has at run time.
 * Between two grouped products nothing is joined and laid out again.
 */

const groupedMatMul: PieceRule = (lowerer, { inputs, attrs }) => {
  const [x, sizes, ...weights] = [...inputs.values()];
  const rows = lowerer.piecesOf(x!, sizes!);
  const matrices = weights.map((weight) => lowerer.name(weight));
  const layout = lowerer.layoutOf(sizes!, x!.shape[0]!);
  return [{ sizes: sizes!, names: layout.product(rows.names, matrices, attrs.transposeW as boolean) }];
};

/** Weight gradient of each expert [F, D]: dy_e^T x_e; zero for an expert without rows. */
const groupedWeightGrad: PieceRule = (lowerer, { inputs, outputs }) => {
  const [x, dy, sizes] = [...inputs.values()];
  const rows = lowerer.piecesOf(x!, sizes!).names;
  const gradients = lowerer.piecesOf(dy!, sizes!).names;
  const layout = lowerer.layoutOf(sizes!, x!.shape[0]!);
  const { shape, dtype } = outputs[0]!;
  return layout.weightGradients(rows, gradients, shape as [number, number], dtype);
};

/** The pieces of all inputs where at least the first is in pieces; undefined where joining is cheaper or needed. */
function together(lowerer: PieceLowering, values: Value[]): Pieces[] | undefined {
  const [lead] = values.flatMap((value) => lowerer.existingPieces(value) ?? []);
  if (!lead || values.some((value) => value.shape[0] !== values[0]!.shape[0])) return undefined;
  return values.map((value) => lowerer.piecesOf(value, lead.sizes));
}

const rowByRow =
  (op: string): PieceRule =>
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

/** Sum along the last axis: one number a row. */
const sumOfRow: PieceRule = (lowerer, { inputs, attrs }) => {
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

export const pieceRules: Record<string, PieceRule> = {
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
