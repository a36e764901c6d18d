import type { Builder } from "./builder.ts";
import { type DType, dtypeCode } from "./encode.ts";

/**
 * How S rows sorted by expert are laid out for products with one matrix per expert: as one ONNX value or as several, to
 * which row-wise ops apply alike. sizes [E] int32 hold the rows per expert, known only at run time. With sizes [E + 1],
 * the last group has no matrix and its rows become 0.
 */
export interface RowLayout {
  /** Lays out a value [S, ...]. */
  cut(value: string): string[];
  /** Joins a laid-out value into one [S, ...]. */
  join(parts: string[]): string;
  /**
   * Multiplies each row of [S, D] by its expert's matrix; `weights` are E names of [F, D] (transposed) or [D, F].
   * Returns [S, F], laid out.
   */
  product(rows: string[], weights: string[], transposeW: boolean, width: number, dtype: DType): string[];
  /**
   * dy_e^T x_e of each expert, zero for an expert without rows, from rows [S, D] and gradients [S, F]. Returns E names
   * of [F, D]; all values have one type.
   */
  weightGradients(
    rows: string[],
    gradients: string[],
    experts: number,
    shape: [F: number, D: number],
    dtype: DType,
  ): string[];
}

/** @param groups E, or E + 1 if the last group has no matrix */
export type MakeRowLayout = (build: Builder, sizes: string, rows: number, groups: number) => RowLayout;

/** A zero of this type. */
const zero = (build: Builder, dtype: DType): string => build.node("Cast", [build.float(0)], { to: dtypeCode[dtype] });

/** One value per expert, with as many rows as the expert has. Needs the sizes on the CPU. */
export const splitRows: MakeRowLayout = (build, sizes, _, groups) => ({
  cut(value) {
    const lengths = build.node("Cast", [sizes], { to: 7 });
    return build.many("Split", [value, lengths], { attributes: { axis: 0 }, outputs: groups });
  },
  join: (parts) => build.node("Concat", parts, { axis: 0 }),
  product: (rows, weights, transposeW, width, dtype) =>
    rows.map((row, group) => {
      const weight = weights[group];
      if (weight) return build.node("Gemm", [row, weight], { transB: transposeW ? 1 : 0 });
      const length = build.node("Slice", [build.node("Shape", [row]), build.ints([0]), build.ints([1])]);
      return build.node("Expand", [
        zero(build, dtype),
        build.node("Concat", [length, build.ints([width])], { axis: 0 }),
      ]);
    }),
  weightGradients: (rows, gradients, experts) =>
    rows.slice(0, experts).map((row, e) => build.node("Gemm", [gradients[e]!, row], { transA: 1 })),
});

/**
 * Rows per tile: half of an expert's mean share, so that few matrices are gathered and padding stays small; from 32
 * rows on, whole workgroups.
 */
function tileLength(rows: number, experts: number): number {
  const length = Math.max(1, Math.ceil(rows / (2 * experts)));
  return length < 32 ? length : 32 * Math.ceil(length / 32);
}

/** Maximum number of outputs of one split, because some GPUs allow few buffers per kernel. */
const maxParts = 7;

/** x [n, ...] as n values [1, ...]. */
function singleRows(build: Builder, x: string, n: number): string[] {
  if (n === 1) return [x];
  if (n <= maxParts)
    return build.many("Split", [x, build.ints(Array(n).fill(1))], { attributes: { axis: 0 }, outputs: n });
  const starts = Array.from({ length: Math.ceil(n / maxParts) }, (_, part) => part * maxParts);
  return starts.flatMap((start) => {
    const end = Math.min(start + maxParts, n);
    const part = build.node("Slice", [x, build.ints([start]), build.ints([end]), build.ints([0])]);
    return singleRows(build, part, end - start);
  });
}

/**
 * One value of static shape [n * T, ...]: n tiles of T rows of one expert each, for a batched product with n gathered
 * matrices. Everything is computed on the device, without reading back. An expert's last tile is padded with its last
 * row, and unused tiles repeat the last tile; neither affects the results. The sum of ceil(s_e / T) is at most (S + E
 * (T - 1)) / T, so no row is dropped whatever the sizes. About 1.5 S rows are computed, with memory for three times a
 * layer's matrices.
 */
export const tiledRows: MakeRowLayout = (build, sizes, rows, groups) => {
  const length = tileLength(rows, groups);
  const tiles = Math.floor((rows + groups * (length - 1)) / length);
  const padded = tiles * length;
  const counting = (n: number, shape = [n]) =>
    build.constant(
      "int32",
      shape,
      Int32Array.from({ length: n }, (_, i) => i),
    );
  const node = (op: string, ...inputs: string[]) => build.node(op, inputs);
  const at = (values: string, indices: string) => build.node("Gather", [values, indices], { axis: 0 });
  const reshape = (value: string, ...shape: number[]) => node("Reshape", value, build.ints(shape));
  const sumsUpTo = (values: string) => node("CumSum", values, build.constant("int32", [], Int32Array.of(0)));
  /** For each of n positions, the expert that it belongs to: the number of `ends` [E] at or before it. */
  const expertAt = (ends: string, places: string, n: number) => {
    const passed = node("LessOrEqual", reshape(ends, 1, groups), reshape(places, n, 1));
    return build.node("ReduceSum", [build.node("Cast", [passed], { to: 6 }), build.ints([1])], { keepdims: 0 });
  };
  const [one, long] = [build.int32(1), build.int32(length)];

  // For each expert [E]: start and end of its rows and of its tiles.
  const ends = sumsUpTo(sizes);
  const starts = node("Sub", ends, sizes);
  const tilesOfExpert = node("Div", node("Add", sizes, build.int32(length - 1)), long);
  const tileEnds = sumsUpTo(tilesOfExpert);
  const tileStarts = node("Sub", tileEnds, tilesOfExpert);
  // For each tile [n].
  const used = build.node("Gather", [tileEnds, build.int32(groups - 1, [1])], { axis: 0 });
  const tile = node("Min", counting(tiles), node("Sub", used, one));
  const expertOfTile = expertAt(tileEnds, tile, tiles);
  const firstRow = node(
    "Add",
    at(starts, expertOfTile),
    node("Mul", node("Sub", tile, at(tileStarts, expertOfTile)), long),
  );
  const lastRow = node("Sub", at(ends, expertOfTile), one);
  // For each position in a tile [n * T]: its row, and 1 if it counts, else 0.
  const place = node("Add", reshape(firstRow, tiles, 1), counting(length, [1, length]));
  const source = reshape(node("Min", place, reshape(lastRow, tiles, 1)), padded);
  const counts = (dtype: DType) => {
    const own = node("LessOrEqual", place, reshape(lastRow, tiles, 1));
    const needed = node("Less", counting(tiles, [tiles, 1]), used);
    return reshape(build.node("Cast", [node("And", own, needed)], { to: dtypeCode[dtype] }), padded, 1);
  };
  // For each row [S]: its position.
  const placeOfRow = () => {
    const expert = expertAt(ends, counting(rows), rows);
    const before = node("Sub", node("Mul", at(tileStarts, expert), long), at(starts, expert));
    return node("Add", counting(rows), before);
  };

  const inTiles = (value: string) => reshape(value, tiles, length, -1);
  /** The experts' matrices, and zeros for a group without a matrix. */
  const stacked = (weights: string[], dtype: DType) => {
    const matrices = weights.map((weight) => node("Unsqueeze", weight, build.ints([0])));
    if (weights.length < groups) matrices.push(node("Expand", zero(build, dtype), node("Shape", matrices[0]!)));
    return build.node("Concat", matrices, { axis: 0 });
  };
  return {
    cut: (value) => [at(value, source)],
    join: ([value]) => at(value!, placeOfRow()),
    product([value], weights, transposeW, _, dtype) {
      const stack = stacked(weights, dtype);
      const matrices = at(transposeW ? build.node("Transpose", [stack], { perm: [0, 2, 1] }) : stack, expertOfTile);
      return [reshape(node("MatMul", inTiles(value!), matrices), padded, -1)];
    },
    weightGradients([value], [gradient], experts, shape, dtype) {
      const counted = node("Mul", gradient!, counts(dtype));
      const turned = build.node("Transpose", [inTiles(counted)], { perm: [0, 2, 1] });
      const ofTile = node("MatMul", turned, inTiles(value!));
      const column = reshape(expertOfTile, 1, tiles);
      const hits = build.node("Cast", [node("Equal", counting(experts, [experts, 1]), column)], {
        to: dtypeCode[dtype],
      });
      const sums = node("Gemm", hits, reshape(ofTile, tiles, -1));
      return singleRows(build, sums, experts).map((sum) => reshape(sum, ...shape));
    },
  };
};
