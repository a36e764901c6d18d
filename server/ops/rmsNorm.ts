import { add, mean, mul, rsqrt, square, sub, sum, type Tensor } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";

/** 1 / root mean square of each row: x [N, D] -> [N, 1]. */
const inverseRms = (x: Tensor, eps: number): Tensor => rsqrt(add(mean(square(x), -1, true), eps));

function forward(x: Tensor, weight: Tensor, eps: number): Tensor[] {
  const r = inverseRms(x, eps);
  return [mul(mul(x, r), weight), r];
}

/** With r the inverse RMS, n = x r and g = dy * weight: dx = r (g - n mean(g n)), dweight = sum over rows of dy n. */
function gradients(dy: Tensor, x: Tensor, weight: Tensor, r: Tensor): Tensor[] {
  const n = mul(x, r);
  const g = mul(dy, weight);
  const dx = mul(r, sub(g, mul(n, mean(mul(g, n), -1, true))));
  return [dx, sum(mul(dy, n), 0)];
}

/**
 * x / sqrt(mean(x^2) + eps) * weight, by row: x [N, D], weight [D]. Zhang and Sennrich, arXiv 1910.07467.
 * Kernel `RmsNorm` also returns the inverse RMS [N, 1], from which kernel `RmsNormGrad` starts.
 */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  return differentiable<[Tensor, Tensor, Tensor]>(
    [x, weight],
    (save) => {
      const [y, r] = kernelOr<Tensor[]>("RmsNorm", { x, weight }, { eps }, () => forward(x, weight, eps));
      save(x, weight, r!);
      return y!;
    },
    (dy, input, w, r) =>
      kernelOr<Tensor[]>("RmsNormGrad", { dy, x: input, weight: w, r }, {}, () => gradients(dy, input, w, r)),
  );
}
