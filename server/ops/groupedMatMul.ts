import { concat, matMul, type NamedTensorMap, slice, type Tensor, zeros } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";

/**
 * Calls `each` with every group's first row and length, including empty groups. Reads `sizes` from the eager engine.
 */
function mapGroups<T>(sizes: Tensor, rows: number, each: (start: number, length: number, group: number) => T): T[] {
  let start = 0;
  const made = Array.from(sizes.dataSync(), (length, group) => {
    start += length;
    return each(start - length, length, group);
  });
  if (start !== rows) throw new Error(`group sizes add up to ${start}, but there are ${rows} rows`);
  return made;
}

const rowsOf = (x: Tensor, start: number, length: number): Tensor => slice(x, [start, 0], [length, x.shape[1]!]);

function products(x: Tensor, sizes: Tensor, weights: Tensor[], transposeW: boolean): Tensor {
  const width = weights[0]!.shape[transposeW ? 0 : 1]!;
  const parts = mapGroups(sizes, x.shape[0]!, (start, length, group) => {
    if (length === 0) return [];
    const weight = weights[group];
    return [weight ? matMul(rowsOf(x, start, length), weight, false, transposeW) : zeros([length, width])];
  }).flat();
  return parts.length > 0 ? concat(parts, 0) : zeros([0, width]);
}

const weightGradients = (x: Tensor, dy: Tensor, sizes: Tensor, groups: number): Tensor[] =>
  mapGroups(sizes, x.shape[0]!, (start, length) =>
    length > 0 ? matMul(rowsOf(dy, start, length), rowsOf(x, start, length), true) : zeros([dy.shape[1]!, x.shape[1]!]),
  ).slice(0, groups);

function run(x: Tensor, sizes: Tensor, weights: Tensor[], transposeW: boolean): Tensor {
  const named = weights.map((weight, group): [string, Tensor] => [`w${group}`, weight]);
  const inputs: NamedTensorMap = { x, sizes, ...Object.fromEntries(named) };
  return kernelOr("GroupedMatMul", inputs, { experts: weights.length, transposeW }, () =>
    products(x, sizes, weights, transposeW),
  );
}

/** dy_e^T x_e for each of E groups: x [S, D], dy [S, F], sizes [E or E + 1] -> E tensors [F, D]. */
const runWeightGradients = (x: Tensor, dy: Tensor, sizes: Tensor, experts: number): Tensor[] =>
  kernelOr<Tensor[]>("GroupedWeightGrad", { x, dy, sizes }, { experts }, () => weightGradients(x, dy, sizes, experts));

/**
 * A matrix product with one weight matrix per group of rows: JAX's `ragged_dot`. Kernels `GroupedMatMul` and
 * `GroupedWeightGrad`.
 *
 * x [S, D] has its rows sorted by group; sizes [E] int32 are the rows per group and add up to S; the E weights are
 * [F, D] (transposeW, the layout of Hugging Face's linear layers) or [D, F]. Returns [S, F]: the rows of group e times
 * w_e^T or w_e. Groups may be empty. With sizes [E + 1] the last group has no matrix: its rows become 0 without any
 * multiplication. On an eager engine, throws if the sizes do not add up to S.
 */
export function groupedMatMul(x: Tensor, sizes: Tensor, weights: Tensor[], transposeW = true): Tensor {
  return differentiable<[Tensor, Tensor, ...Tensor[]]>(
    [x, ...weights],
    (save) => {
      save(x, sizes, ...weights);
      return run(x, sizes, weights, transposeW);
    },
    (dy, input, groupSizes, ...matrices) => [
      run(dy, groupSizes, matrices, !transposeW),
      ...(transposeW
        ? runWeightGradients(input, dy, groupSizes, matrices.length)
        : runWeightGradients(dy, input, groupSizes, matrices.length)),
    ],
  );
}
