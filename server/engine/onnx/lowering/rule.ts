import type { GraphNode, Value } from "../../graph/graph.ts";
import type { Builder } from "./builder.ts";
import type { RowLayout } from "./rowLayout.ts";

/** What a rule sees: one node, the names of its inputs in ONNX, and the builder. */
export interface Lowering {
  node: GraphNode;
  /** ONNX names of the inputs, in order. */
  names: string[];
  values: Value[];
  attrs: Record<string, unknown>;
  output: Value;
  build: Builder;
}
/** Writes the ONNX nodes of one kernel and returns the names of its outputs. */
export type Rule = (lowering: Lowering) => string | string[];

/** Rows of a tensor, sorted by expert with the run-time sizes in `sizes`, laid out for products by expert. */
export interface Pieces {
  sizes: Value;
  names: string[];
}

/** What a rule on pieces asks of the lowering that is under way. */
export interface PieceLowering {
  readonly build: Builder;
  /** The ONNX name of a value; joins its pieces or writes its constant if nobody has yet. */
  name(value: Value): string;
  /** Pieces of `value` already there for these sizes. */
  existingPieces(value: Value, sizes?: Value): Pieces | undefined;
  /** `value` [S, ...] cut in rows by `sizes` [E]. */
  piecesOf(value: Value, sizes: Value): Pieces;
  /** The layout of S rows cut by `sizes` [E]. */
  layoutOf(sizes: Value, rows: number): RowLayout;
}
/** Writes the ONNX nodes of one kernel for each piece; undefined where the kernel is better left whole. */
export type PieceRule = (lowering: PieceLowering, node: GraphNode) => (Pieces | string)[] | undefined;
