import {
  cast,
  cumsum,
  fill,
  greater,
  less,
  mul,
  reshape,
  softmax,
  sub,
  sum,
  type Tensor,
  where,
} from "@tensorflow/tfjs-core";
import { oneHot } from "../ops/oneHot.ts";
import { untaped } from "../ops/untaped.ts";
import type { RouterConfig } from "../protocol/model.ts";
import { auxiliaryLosses } from "./auxiliaryLosses.ts";
import type { Router } from "./router.ts";
import { bestExperts } from "./selection.ts";

/**
 * Which tokens fit their expert's capacity: [N, 1], 1 if the token fits, else 0. An expert takes ceil(capacity * N / E)
 * of the N tokens that count, in the order of the batch or micro-batch. Padding does not use capacity. chosen [N, E],
 * weights [N, 1].
 */
function placed(chosen: Tensor, weights: Tensor, capacity: number): Tensor {
  const counts = cast(greater(weights, 0), "float32");
  const before = cumsum(mul(chosen, counts), 0, true);
  const rank = sum(mul(before, chosen), 1, true);
  // For integer ranks, rank < ceil(c) equals rank < c. Slightly less than c, so that rounding up does not add a place.
  const places = mul(sum(counts), (capacity / chosen.shape[1]!) * (1 - 2.5e-7));
  return cast(less(rank, places), "float32");
}

/** Each token's expert [N, 1], or E if the token is dropped; kept [N, 1] is 1 or 0. */
const keptOrNone = (experts: Tensor, kept: Tensor, count: number): Tensor =>
  where(greater(kept, 0), experts, fill(experts.shape, count, "int32"));

/**
 * Switch routing: each token goes to the expert with the largest logit; its gate is that expert's probability under the
 * softmax over all experts. BTX §3.3; Fedus et al., arXiv 2101.03961. Experts have a limited capacity. Tokens beyond it
 * are dropped: they go to no expert, nothing is computed for them, and only the residual stream carries them on. The
 * means for load balancing include dropped tokens.
 */
export function switchRouter(config: Extract<RouterConfig, { type: "switch" }>): Router {
  const capacities = { training: config.capacity, evaluation: config.evaluationCapacity, generation: undefined };
  return {
    route(input) {
      const { logits, weights } = input;
      const [tokens, count] = logits.shape as [number, number];
      const experts = bestExperts(input, 1);
      const chosen = oneHot(reshape(experts, [tokens]), count);
      const probabilities = softmax(logits);
      const gateOfExpert = mul(chosen, probabilities);
      const auxiliary = auxiliaryLosses(config, input, { chosen, gateOfExpert, probabilities }, 1);
      const gates = sum(gateOfExpert, 1, true);
      const capacity = capacities[input.mode];
      if (capacity === undefined) return { experts, gates, chosen, gateOfExpert, ...auxiliary };

      const kept = untaped(() => placed(chosen, weights, capacity));
      const taken = mul(chosen, kept);
      return {
        experts: untaped(() => keptOrNone(experts, kept, count)),
        mayHaveNoExpert: true,
        gates: mul(gates, kept),
        chosen: taken,
        gateOfExpert: mul(gateOfExpert, kept),
        dropped: sub(chosen, taken),
        ...auxiliary,
      };
    },
  };
}
