import { add, div, matMul, mul, type Scalar, sub, sum, type Tensor } from "@tensorflow/tfjs-core";
import type { BalanceMeans } from "./router.ts";

/** Weighted mean of the rows of x [N, E], with weights [N, 1]: [1, E]. */
const weightedMean = (x: Tensor, weights: Tensor): Tensor => div(matMul(weights, x, true), sum(weights));

/** Weighted means of gates and probabilities [N, E] over the tokens, with weights [N, 1]. */
export const balanceMeans = (gates: Tensor, probabilities: Tensor, weights: Tensor): BalanceMeans => ({
  gates: weightedMean(gates, weights),
  probabilities: weightedMean(probabilities, weights),
});

const product = (a: BalanceMeans, b: BalanceMeans): Tensor => sum(mul(a.gates, b.probabilities));

/**
 * The load-balancing loss of one layer: alpha * E * sum over e of u_e * p_e. Perfect balance gives alpha.
 *
 * In BTX §3.3, u are the mean gates (after top-k), and the gradient flows through both factors. In Switch (arXiv
 * 2101.03961, eq. 4), u are the shares of tokens, which are constants.
 *
 * With `whole`, the means U and P over M micro-batches of equal weight that include this one, the loss is
 * alpha * E * sum (u P + U p - U P). Its mean over the micro-batches is alpha * E * sum U P, and the mean of its
 * gradients is the gradient of that term. (Balancing over the whole batch: arXiv 2501.11873.)
 */
export function loadBalance(means: BalanceMeans, alpha: number, whole?: BalanceMeans): Scalar {
  const balance = whole
    ? sub(add(product(means, whole), product(whole, means)), product(whole, whole))
    : product(means, means);
  return mul(balance, alpha * means.gates.shape[1]!) as Scalar;
}
