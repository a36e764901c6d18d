import { div, matMul, mul, type Scalar, sum, type Tensor } from "@tensorflow/tfjs-core";

/** Mean of the rows of x [N, E], each counted by weights [N, 1]: [1, E]. */
const weightedMean = (x: Tensor, weights: Tensor): Tensor => div(matMul(weights, x, true), sum(weights));

/**
 * The load-balancing term of one layer: alpha * E * sum over e of u_e * p_e. BTX §3.3.
 *
 * `gates` [N, E] are the actual gates (after top-k), `probabilities` [N, E] the softmax over all experts; u and p are
 * their means over the tokens, each token counted by `weights` [N, 1]. The gradient flows through both. Perfect
 * balance gives alpha.
 */
export function loadBalance(gates: Tensor, probabilities: Tensor, weights: Tensor, alpha: number): Scalar {
  const experts = gates.shape[1]!;
  const balance = sum(mul(weightedMean(gates, weights), weightedMean(probabilities, weights)));
  return mul(balance, alpha * experts) as Scalar;
}
