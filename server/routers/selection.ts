import { add, argMax, expandDims, softmax, type Tensor, topk } from "@tensorflow/tfjs-core";
import { untaped } from "../ops/untaped.ts";
import { UserError } from "../protocol/errors.ts";
import type { RouterConfig } from "../protocol/model.ts";
import type { RouteInput } from "./router.ts";

/**
 * The K experts of each token [N, K] int32, best first: those of the largest logits or, with a bias, of the largest
 * softmax probability plus bias (balancing without a loss, arXiv 2408.15664). Not differentiated.
 */
export function bestExperts({ logits, bias }: Pick<RouteInput, "logits" | "bias">, k: number): Tensor {
  return untaped(() => {
    const scores = bias ? add(softmax(logits), bias) : logits;
    return k === 1 ? expandDims(argMax(scores, -1), 1) : topk(scores, k).indices;
  });
}

/** @throws UserError where a router that does not choose by score is to be balanced by a bias. */
export function refuseBias({ type, balance }: RouterConfig): void {
  if (balance === "bias")
    throw new UserError(
      `a ${type} router cannot be balanced by a bias, which changes choices by score: take top-k or switch, or balance by a loss`,
    );
}
