import { add, argMax, expandDims, softmax, type Tensor, topk } from "@tensorflow/tfjs-core";
import { untaped } from "../ops/untaped.ts";
import { UserError } from "../protocol/errors.ts";
import type { RouterConfig } from "../protocol/model.ts";
import type { RouteInput } from "./router.ts";

/**
 * The K best experts of each token [N, K] int32, best first: by logit or, with a bias, by softmax probability plus bias
 * (loss-free balancing, arXiv 2408.15664). Not differentiated.
 */
export function bestExperts({ logits, bias }: Pick<RouteInput, "logits" | "bias">, k: number): Tensor {
  return untaped(() => {
    const scores = bias ? add(softmax(logits), bias) : logits;
    return k === 1 ? expandDims(argMax(scores, -1), 1) : topk(scores, k).indices;
  });
}

/** For routers that do not choose by score. @throws UserError if the configuration balances by a bias */
export function refuseBias({ type, balance }: RouterConfig): void {
  if (balance === "bias")
    throw new UserError(
      `a ${type} router cannot be balanced by a bias because it does not choose by score: use top-k or switch, or balance by a loss`,
    );
}
