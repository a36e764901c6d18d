import { add, cast, equal, matMul, max, mul, range, reshape, sub, type Tensor, tile } from "@tensorflow/tfjs-core";
import { kernelOr } from "./kernel.ts";

function composition(places: Tensor, rows: Tensor, positions: Tensor): Tensor {
  const [batch, heads, length] = places.shape as [number, number, number, number];
  const time = rows.shape[2]!;
  // [B, C, T]: 1 where a place takes a row. Tiled to [B, H, C, T] because TF.js does not always broadcast matMul.
  const taken = cast(
    equal(reshape(range(0, length, 1, "int32"), [1, length, 1]), reshape(positions, [batch, 1, time])),
    "float32",
  );
  const byHead = tile(reshape(taken, [batch, 1, length, time]), [1, heads, 1, 1]);
  return add(mul(places, sub(1, max(byHead, -1, true))), matMul(byHead, rows));
}

/**
 * Overwrites the given positions with rows: places [B, H, C, d], rows [B, H, T, d], positions [B, T] int32, each from 0
 * to C-1 -> [B, H, C, d]. A position given twice holds an unspecified finite value. Not differentiated. Kernel
 * `PlaceRows`.
 */
export const placeRows = (places: Tensor, rows: Tensor, positions: Tensor): Tensor =>
  kernelOr("PlaceRows", { places, rows, positions }, {}, () => composition(places, rows, positions));
