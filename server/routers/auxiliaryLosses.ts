import { div, softmax, type Tensor } from "@tensorflow/tfjs-core";
import type { RouterConfig } from "../protocol/model.ts";
import { balanceMeans, loadBalance } from "./loadBalance.ts";
import type { RouteInput, Routing } from "./router.ts";
import { zLoss } from "./zLoss.ts";

/** Whether a router has a load-balancing loss: a product of means. */
export const balancesByLoss = ({ loadBalance: alpha, balance }: RouterConfig): boolean =>
  alpha > 0 && balance !== "bias";

/** What is balanced: [N, E] each, before tokens are dropped. */
export interface Choices {
  /** 1 where a token chose an expert; K a token. */
  chosen: Tensor;
  /** The actual gates. */
  gateOfExpert: Tensor;
  /** Softmax of the logits, where the router has it already. */
  probabilities?: Tensor;
}

/**
 * What every router adds to the loss, as its configuration says, scaled: `loadBalance`, the balancing of BTX or Switch, and
 * `zLoss`. A token with K choices counts 1/K in each of its experts' shares (Switch), so that the shares add up to 1.
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
