import { add, div, exp, maximum, mul, ones, reshape, softmax, sum } from "@tensorflow/tfjs-core";
import { oneHot } from "../ops/oneHot.ts";
import type { RouterConfig } from "../protocol/model.ts";
import { auxiliaryLosses } from "./auxiliaryLosses.ts";
import type { RouteInput, Router, Routing } from "./router.ts";
import { bestExperts, refuseBias } from "./selection.ts";
import { softRouting } from "./soft.ts";

/**
 * Sampled top-1 routing, BTX §3.3. In training y = softmax((z + G) / tau) is a Gumbel-softmax sample (Jang et al.,
 * arXiv 1611.01144); only its largest entry is kept, as the gate. The temperature tau = max(minTemperature, exp(-r t))
 * decays with the fraction t of the phase's steps that are done; the paper prints max(0.5, -r t), which would be
 * constant. Outside training the sample is hard: argmax(z + G) with gate 1. The first Mixture-of-Experts layer uses
 * soft routing.
 */
export function sampleTop1Router(config: Extract<RouterConfig, { type: "sample-top-1" }>): Router {
  refuseBias(config);
  const { temperatureRate, minTemperature } = config;
  const route = (input: RouteInput): Routing => {
    if (input.position === 0) return softRouting(config, input);
    const { logits, noise, progress, mode } = input;
    if (!noise) throw new Error("a sample-top-1 router needs noise");
    const [tokens, count] = logits.shape as [number, number];
    const drawn = add(logits, noise);
    const experts = bestExperts({ logits: drawn }, 1);
    const chosen = oneHot(reshape(experts, [tokens]), count);
    if (mode !== "training") {
      const auxiliary = auxiliaryLosses(config, input, { chosen, gateOfExpert: chosen }, 1);
      return { experts, gates: ones([tokens, 1]), chosen, gateOfExpert: chosen, ...auxiliary };
    }
    if (!progress) throw new Error("a sample-top-1 router needs the training's progress");
    const temperature = maximum(exp(mul(progress, -temperatureRate)), minTemperature);
    const gateOfExpert = mul(chosen, softmax(div(drawn, temperature)));
    const auxiliary = auxiliaryLosses(config, input, { chosen, gateOfExpert }, 1);
    return { experts, gates: sum(gateOfExpert, 1, true), chosen, gateOfExpert, ...auxiliary };
  };
  return { route };
}
