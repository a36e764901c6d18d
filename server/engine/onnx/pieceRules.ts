import type { Value } from "../capture/graph.ts";
import { axesOf } from "../capture/shapes.ts";
import { swiGlu, swiGluGradient } from "./modelRules.ts";
import type { PieceLowering, PieceRule, Pieces } from "./rule.ts";

/**
 * Rules that work on the rows of each expert apart, with as many rows as that expert has at run time.
 * Between two grouped products nothing is joined and split again.
 */

const groupedMatMul: PieceRule = (lowerer, { inputs, attrs }) => {
  const [x, sizes, ...weights] = [...inputs.values()];
  const rows = lowerer.piecesOf(x!, sizes!, weights.length);
  const names = weights.map((weight, expert) =>
    lowerer.build.node("Gemm", [rows.names[expert]!, lowerer.name(weight)], { transB: attrs.transposeW ? 1 : 0 }),
  );
  return [{ sizes: sizes!, names }];
};

/** Weight gradient of each expert [F, D]: dy_e^T x_e; zero for an expert without rows. */
const groupedWeightGrad: PieceRule = (lowerer, { inputs, attrs }) => {
  const [x, dy, sizes] = [...inputs.values()];
  const experts = attrs.experts as number;
  const rows = lowerer.piecesOf(x!, sizes!, experts).names;
  const gradients = lowerer.piecesOf(dy!, sizes!, experts).names;
  return rows.map((row, expert) => lowerer.build.node("Gemm", [gradients[expert]!, row], { transA: 1 }));
};

/** The pieces of all inputs where at least the first is in pieces; undefined where joining is cheaper or needed. */
function together(lowerer: PieceLowering, values: Value[]): Pieces[] | undefined {
  const [lead] = values.flatMap((value) => lowerer.existingPieces(value) ?? []);
  if (!lead || values.some((value) => value.shape[0] !== values[0]!.shape[0])) return undefined;
  return values.map((value) => lowerer.piecesOf(value, lead.sizes, lead.names.length));
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
    const both = dy!.names.map((piece, e) => swiGluGradient(lowerer.build, piece, gate!.names[e]!, up!.names[e]!));
    return [0, 1].map((index) => ({ sizes: dy!.sizes, names: both.map((pair) => pair[index]!) }));
  },
};
