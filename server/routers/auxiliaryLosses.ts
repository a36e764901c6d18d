import { div, softmax, type Tensor } from "@tensorflow/tfjs-core";
import type { RouterConfig } from "../protocol/model.ts";
import { balanceMeans, loadBalance } from "./loadBalance.ts";
import type { RouteInput, Routing } from "./router.ts";
import { zLoss } from "./zLoss.ts";

/** Whether a router has a load-balancing loss. */
export const balancesByLoss = ({ loadBalance: alpha, balance }: RouterConfig): boolean =>
  alpha > 0 && balance !== "bias";

/** The choices to balance, before tokens are dropped: [N, E] each. */
export interface Choices {
  /** 1 where a token chose an expert, else 0; K ones per token. */
  chosen: Tensor;
  /** The actual gates. */
  gateOfExpert: Tensor;
  /** Softmax of the logits, if the router has already computed it. */
  probabilities?: Tensor;
}

/**
 * The scaled losses that any router adds to the training loss if its configuration says so: `loadBalance`, the
 * balancing loss of BTX or Switch, and `zLoss`. For Switch, a token with K choices counts 1/K in each of its experts'
 * shares, so that the shares add up to 1.
 */
export function auxiliaryLosses(
  config: RouterConfig,
  { logits, weights, means: whole }: Pick<RouteInput, "logits" | "weights" | "means">,
  { chosen, gateOfExpert, probabilities = softmax(logits) }: Choices,
  k: number,
): Pick<Routing, "losses" | "means"> {
  const z = config.zLoss === undefined ? {} : { zLoss: zLoss(logits, weights, config.zLoss) };
  if (!balancesByLoss(config)) return "zLoss" in z ? { losses: z } : {};
  const first = config.balance === "switch" ? div(chosen, k) : gateOfExpert;
  const means = balanceMeans(first, probabilities, weights);
  return { losses: { loadBalance: loadBalance(means, config.loadBalance, whole), ...z }, means };
}
