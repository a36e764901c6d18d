import { broadcastTo, ones, range, softmax } from "@tensorflow/tfjs-core";
import type { RouterConfig } from "../protocol/model.ts";
import { auxiliaryLosses } from "./auxiliaryLosses.ts";
import type { RouteInput, Router, Routing } from "./router.ts";
import { refuseBias } from "./selection.ts";

/** Sends each token to every expert, with the softmax of the logits as gates. */
export function softRouting(config: RouterConfig, input: RouteInput): Routing {
  const [tokens, count] = input.logits.shape as [number, number];
  const gates = softmax(input.logits);
  const chosen = ones([tokens, count]);
  return {
    experts: broadcastTo(range(0, count, 1, "int32"), [tokens, count]),
    gates,
    chosen,
    gateOfExpert: gates,
    ...auxiliaryLosses(config, input, { chosen, gateOfExpert: gates, probabilities: gates }, count),
  };
}

/** Soft routing: g(x) = softmax(W x), with all experts computed. BTX §3.3: an upper bound on quality and cost. */
export function softRouter(config: Extract<RouterConfig, { type: "soft" }>): Router {
  refuseBias(config);
  return { route: (input) => softRouting(config, input) };
}
