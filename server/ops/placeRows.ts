import { add, cast, equal, matMul, max, mul, range, reshape, sub, type Tensor, tile } from "@tensorflow/tfjs-core";
import { kernelOr } from "./kernel.ts";

function composition(places: Tensor, rows: Tensor, positions: Tensor): Tensor {
  const [batch, heads, length] = places.shape as [number, number, number, number];
  const time = rows.shape[2]!;
  // [B, C, T]: 1 where a place takes a row; then [B, H, C, T], since TF.js does not broadcast matMul in every case.
  const taken = cast(
    equal(reshape(range(0, length, 1, "int32"), [1, length, 1]), reshape(positions, [batch, 1, time])),
    "float32",
  );
  const byHead = tile(reshape(taken, [batch, 1, length, time]), [1, heads, 1, 1]);
  return add(mul(places, sub(1, max(byHead, -1, true))), matMul(byHead, rows));
}

/**
 * Puts rows at places, in place of what is there: places [B, H, C, d], rows [B, H, T, d], positions [B, T] int32, each in 0
 * to C-1; gives [B, H, C, d]. A place that is named twice holds anything finite. Not differentiated. Kernel `PlaceRows`.
 */
export const placeRows = (places: Tensor, rows: Tensor, positions: Tensor): Tensor =>
  kernelOr("PlaceRows", { places, rows, positions }, {}, () => composition(places, rows, positions));
