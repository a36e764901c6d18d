import { floorDiv, gather, reshape, scalar, sum, type Tensor, type Tensor1D } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";

/** The token that each sorted row belongs to: order [S] int32 -> [S] int32, with K rows per token. */
export const tokenOfRow = (order: Tensor, k: number): Tensor1D =>
  (k === 1 ? order : floorDiv(order, scalar(k, "int32"))) as Tensor1D;

/**
 * Sends each token to its K experts: x [N, D], order and inverse [S] from `routeOrder` -> rows sorted by expert [S, D],
 * S = N*K. Its gradient is a gather, too: a token gets the sum of its K rows' gradients.
 */
export function dispatch(x: Tensor, order: Tensor, inverse: Tensor, k: number): Tensor {
  const [tokens, width] = x.shape as [number, number];
  return differentiable<[Tensor]>(
    [x],
    (save) => {
      save(inverse);
      return gather(x, tokenOfRow(order, k));
    },
    (dy, back) => {
      const rows = gather(dy, back as Tensor1D);
      return [k === 1 ? rows : sum(reshape(rows, [tokens, k, width]), 1)];
    },
  );
}
