import { add, mul, softmax, sub, sum, type Tensor } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";

/** Additive mask for a key that must not be seen: large but finite, so that a fully masked row does not give NaN. */
export const MASKED = -1e9;

/**
 * softmax(scores + mask) over the last axis. scores [B, Hkv, R, C]; mask [R, C] or [B, 1, R, C], 0 or `MASKED`.
 * The mask is not differentiated. Kernel `MaskedSoftmax`.
 */
export function maskedSoftmax(scores: Tensor, mask: Tensor): Tensor {
  return differentiable<[Tensor]>(
    [scores],
    (save) => {
      const p = kernelOr<Tensor>("MaskedSoftmax", { scores, mask }, {}, () => softmax(add(scores, mask)));
      save(p);
      return p;
    },
    (dy, p) => [mul(p, sub(dy, sum(mul(dy, p), -1, true)))],
  );
}
