import { expandDims, mul, softmax, sum, type Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../ops/oneHot.ts";
import type { RouterConfig } from "../protocol/model.ts";
import { auxiliaryLosses } from "./auxiliaryLosses.ts";
import type { Router } from "./router.ts";
import { bestExperts } from "./selection.ts";

/**
 * BTX's default router: g(x) = softmax(top-k(W x)). The softmax comes after top-k, over the kept logits only, so a
 * token's gates add up to 1. BTX §3.2. With `softmax: "before"` the gates come from the softmax over all experts, as in
 * Switch and OLMoE: they add up to less than 1, and the router can learn even with K = 1.
 */
export function topKRouter(config: Extract<RouterConfig, { type: "top-k" }>): Router {
  const { k } = config;
  return {
    route(input) {
      const { logits } = input;
      const experts = bestExperts(input, k);
      const place = oneHot(experts, logits.shape[1]!);
      const kept = (x: Tensor) => sum(mul(place, expandDims(x, 1)), -1);
      const probabilities = config.softmax === "before" ? softmax(logits) : undefined;
      const gates = probabilities ? kept(probabilities) : softmax(kept(logits));
      const gateOfExpert = sum(mul(place, expandDims(gates, 2)), 1);
      const choices = { chosen: sum(place, 1), gateOfExpert, ...(probabilities ? { probabilities } : {}) };
      return { experts, gates, ...auxiliaryLosses(config, input, choices, k), chosen: choices.chosen, gateOfExpert };
    },
  };
}
