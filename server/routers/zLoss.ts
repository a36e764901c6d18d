import {
  add,
  div,
  exp,
  log,
  matMul,
  max,
  mul,
  reshape,
  type Scalar,
  square,
  sub,
  sum,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { untaped } from "../ops/untaped.ts";

/**
 * The router z-loss: coefficient * mean over tokens of (log sum over e of exp(z_e))^2, with token weights [N, 1] and
 * logits z [N, E]. Keeps logits small. ST-MoE, arXiv 2202.08906, eq. 5.
 */
export function zLoss(logits: Tensor, weights: Tensor, coefficient: number): Scalar {
  // The largest logit can be a constant because the value does not depend on it.
  const largest = untaped(() => max(logits, -1, true));
  const logSum = add(log(sum(exp(sub(logits, largest)), -1, true)), largest);
  const mean = div(reshape(matMul(weights, square(logSum), true), []), sum(weights));
  return mul(mean, coefficient) as Scalar;
}
