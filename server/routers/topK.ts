import { expandDims, mul, softmax, sum, topk } from "@tensorflow/tfjs-core";
import { oneHot } from "../ops/oneHot.ts";
import { untaped } from "../ops/untaped.ts";
import type { RouterConfig } from "../protocol/model.ts";
import { loadBalance } from "./loadBalance.ts";
import type { Router } from "./router.ts";

/**
 * BTX's default router: g(x) = softmax(top-k(W x)). The softmax comes after top-k, over the kept logits only, so the
 * gates of a token add up to 1. BTX §3.2; load balancing §3.3.
 */
export function topKRouter({ k, loadBalance: alpha }: Extract<RouterConfig, { type: "top-k" }>): Router {
  return (logits, weights) => {
    const count = logits.shape[1]!;
    const experts = untaped(() => topk(logits, k).indices);
    const place = oneHot(experts, count);
    const kept = sum(mul(place, expandDims(logits, 1)), -1);
    const gates = softmax(kept);
    const gateOfExpert = sum(mul(place, expandDims(gates, 2)), 1);
    const routing = { experts, gates, chosen: sum(place, 1), gateOfExpert };
    if (alpha === 0) return routing;
    return { ...routing, auxiliaryLoss: loadBalance(gateOfExpert, softmax(logits), weights, alpha) };
  };
}
