import { add, mul, sigmoid, sub, type Tensor } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";

/**
 * silu(g) = g s(g), so silu'(g) = s + silu (1 - s), and dy silu' = dUp + s (dy - dUp) with dUp = dy silu. This saves a
 * pass over [..., F] compared with computing silu' separately.
 */
function gradients(dy: Tensor, gate: Tensor, up: Tensor): Tensor[] {
  const s = sigmoid(gate);
  const dUp = mul(dy, mul(gate, s));
  return [mul(up, add(dUp, mul(s, sub(dy, dUp)))), dUp];
}

/** x sigmoid(x). */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));

/** silu(gate) * up, both [..., F]. Shazeer, arXiv 2002.05202. Kernels `SwiGlu` and `SwiGluGrad`. */
export function swiGlu(gate: Tensor, up: Tensor): Tensor {
  return differentiable<[Tensor, Tensor]>(
    [gate, up],
    (save) => {
      save(gate, up);
      return kernelOr("SwiGlu", { gate, up }, {}, () => mul(mul(gate, sigmoid(gate)), up));
    },
    (dy, g, u) => kernelOr<Tensor[]>("SwiGluGrad", { dy, gate: g, up: u }, {}, () => gradients(dy, g, u)),
  );
}
