import { gather, type Tensor, type Tensor1D, type Tensor2D, unsortedSegmentSum } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";

/** Sums the rows of `dy` [N, D] by id: [V, D]. Kernel `EmbeddingGrad`. */
const embeddingGrad = (dy: Tensor, ids: Tensor, vocab: number): Tensor =>
  kernelOr("EmbeddingGrad", { dy, ids }, { vocab }, () => unsortedSegmentSum(dy, ids as Tensor1D, vocab));

/** Rows of `weight` [V, D] at `ids` [N] int32: [N, D]. Ids must be from 0 to V-1. */
export function embedding(weight: Tensor, ids: Tensor): Tensor2D {
  const vocab = weight.shape[0]!;
  return differentiable<[Tensor]>(
    [weight],
    (save) => {
      save(ids);
      return gather(weight, ids as Tensor1D);
    },
    (dy, savedIds) => [embeddingGrad(dy, savedIds, vocab)],
  ) as Tensor2D;
}
