import { expandDims, gather, mul, reshape, sum, type Tensor, type Tensor1D } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { tokenOfRow } from "./dispatch.ts";

/**
 * Returns the experts' rows to their tokens and sums them by gate: y [S, D] sorted by expert, gates [N, K], and order
 * and inverse [S] from `routeOrder` -> [N, D], with row n = sum over k of gates[n, k] * y[inverse[n*K + k]]. Its
 * gradients with respect to y and the gates are gathers, too.
 */
export function combine(y: Tensor, gates: Tensor, order: Tensor, inverse: Tensor): Tensor {
  const [tokens, k] = gates.shape as [number, number];
  const width = y.shape[1]!;
  return differentiable<[Tensor, Tensor, Tensor, Tensor]>(
    [y, gates],
    (save) => {
      save(y, gates, order, inverse);
      const returned = reshape(gather(y, inverse as Tensor1D), [tokens, k, width]);
      return sum(mul(returned, expandDims(gates, 2)), 1);
    },
    (dout, rows, weights, there, back) => {
      const sent = gather(dout, tokenOfRow(there, k));
      const gateOfRow = gather(reshape(weights, [tokens * k]), there as Tensor1D);
      const dGateOfRow = sum(mul(sent, rows), -1);
      return [mul(sent, expandDims(gateOfRow, 1)), reshape(gather(dGateOfRow, back as Tensor1D), [tokens, k])];
    },
  );
}
