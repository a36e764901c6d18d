import { exp, expandDims, logSoftmax, mul, neg, sub, sum, type Tensor, type Tensor1D } from "@tensorflow/tfjs-core";
import { differentiable } from "./differentiable.ts";
import { kernelOr } from "./kernel.ts";
import { oneHot } from "./oneHot.ts";

function forward(logits: Tensor, targets: Tensor): Tensor[] {
  const logProbs = logSoftmax(logits);
  return [neg(sum(mul(oneHot(targets, logits.shape[1]!), logProbs), -1)), logProbs];
}

const gradient = (dnll: Tensor, logProbs: Tensor, targets: Tensor): Tensor =>
  mul(expandDims(dnll, 1), sub(exp(logProbs), oneHot(targets, logProbs.shape[1]!)));

/**
 * Negative log-likelihood of each target under softmax(logits), nats: logits [N, V], targets [N] int32 -> [N].
 * Kernel `CrossEntropy` also returns the log-probabilities [N, V], from which kernel `CrossEntropyGrad` starts.
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor1D {
  return differentiable<[Tensor, Tensor]>(
    [logits],
    (save) => {
      const outputs = kernelOr<Tensor[]>("CrossEntropy", { logits, targets }, {}, () => forward(logits, targets));
      const [nll, logProbs] = outputs as [Tensor, Tensor];
      save(logProbs, targets);
      return nll;
    },
    (dnll, logProbs, savedTargets) => [
      kernelOr<Tensor>("CrossEntropyGrad", { dnll, logProbs, targets: savedTargets }, {}, () =>
        gradient(dnll, logProbs, savedTargets),
      ),
    ],
  ) as Tensor1D;
}
