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
 * 1 for each token [N, 1] that finds a place with its expert, else 0: an expert takes ceil(capacity * N / E) of the N
 * tokens that count, those that come first in the batch, or micro-batch. Padding takes no place. chosen [N, E], weights
 * [N, 1].
 */
function placed(chosen: Tensor, weights: Tensor, capacity: number): Tensor {
  const counts = cast(greater(weights, 0), "float32");
  const before = cumsum(mul(chosen, counts), 0, true);
  const rank = sum(mul(before, chosen), 1, true);
  // rank < ceil(c) is rank < c for whole ranks. A little less, so that rounding c up gives no place more.
  const places = mul(sum(counts), (capacity / chosen.shape[1]!) * (1 - 2.5e-7));
  return cast(less(rank, places), "float32");
}

/** The expert [N, 1] of each token that is kept, E of one that is dropped; kept [N, 1] is 1 or 0. */
const keptOrNobody = (experts: Tensor, kept: Tensor, count: number): Tensor =>
  where(greater(kept, 0), experts, fill(experts.shape, count, "int32"));

/**
 * Switch routing: each token goes to the expert of its largest logit, with that expert's probability under the softmax
 * over all experts as its gate. BTX §3.3; Fedus et al., arXiv 2101.03961. An expert's capacity is limited: a token that
 * comes too late is dropped. It goes to nobody: only the residual stream carries it on, and nothing is computed for it.
 * The balancing means are those before tokens are dropped.
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
        experts: untaped(() => keptOrNobody(experts, kept, count)),
        mayBeNobody: true,
        gates: mul(gates, kept),
        chosen: taken,
        gateOfExpert: mul(gateOfExpert, kept),
        dropped: sub(chosen, taken),
        ...auxiliary,
      };
    },
  };
}
