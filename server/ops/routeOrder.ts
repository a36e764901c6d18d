import { type Tensor, type Tensor1D, tensor1d } from "@tensorflow/tfjs-core";
import { kernelOr } from "./kernel.ts";

export interface RouteOrder {
  /** [S] int32: the routed row that comes i-th when rows are sorted by expert. The sort is stable. */
  order: Tensor1D;
  /** [S] int32: sorted position of each routed row; inverse[order[i]] = i. */
  inverse: Tensor1D;
  /** [count] int32: rows per expert. */
  sizes: Tensor1D;
}

function countingSort(experts: Tensor, count: number): [Tensor, Tensor, Tensor] {
  const chosen = experts.dataSync();
  const sizes = new Int32Array(count);
  for (const expert of chosen) sizes[expert]!++;
  const next = new Int32Array(count);
  for (let expert = 1; expert < count; expert++) next[expert] = next[expert - 1]! + sizes[expert - 1]!;
  const order = new Int32Array(chosen.length);
  const inverse = new Int32Array(chosen.length);
  chosen.forEach((expert, row) => {
    const place = next[expert]!++;
    order[place] = row;
    inverse[row] = place;
  });
  return [tensor1d(order, "int32"), tensor1d(inverse, "int32"), tensor1d(sizes, "int32")];
}

/**
 * The permutation that sorts routed rows by expert: experts [S] int32, each from 0 to E-1 with `count` = E. With
 * `count` = E + 1, the value E means no expert; such rows come last. Not differentiated.
 */
export function routeOrder(experts: Tensor, count: number): RouteOrder {
  const [order, inverse, sizes] = kernelOr<Tensor[]>("RouteOrder", { experts }, { experts: count }, () =>
    countingSort(experts, count),
  ) as [Tensor1D, Tensor1D, Tensor1D];
  return { order, inverse, sizes };
}
