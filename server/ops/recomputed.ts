import { engine, getBackend, getKernel, grads, type Tensor } from "@tensorflow/tfjs-core";
import { after } from "./after.ts";
import { differentiable } from "./differentiable.ts";

type Tensors = Record<string, Tensor>;
type Block = (x: Tensor, given: Tensors) => Tensor;

/**
 * Gradients computed during another backward pass. TF.js has a single tape and drops it afterwards, so it is restored.
 */
function gradientsWithin(f: (...inputs: Tensor[]) => Tensor, inputs: Tensor[], dy: Tensor): Tensor[] {
  const { state } = engine();
  const { activeTape } = state;
  try {
    return grads(f)(inputs, dy);
  } finally {
    state.activeTape = activeTape;
  }
}

/**
 * Computes block(x, given) but keeps only x and `given` for the gradient; the backward pass recomputes the block's
 * intermediate values. Gives the same values with less memory, for one more forward pass of the block. Chen et al.,
 * arXiv 1604.06174. Works on backends that order graphs (`after`); others keep everything. Differentiated with respect
 * to x and all of `given`, each of which the block must use.
 */
export function recomputed(block: Block, x: Tensor, given: Tensors): Tensor {
  // By then an eager backend has freed the other tensors that the block reads, so it computes the block as usual.
  if (!getKernel("After", getBackend())) return block(x, given);
  const names = Object.keys(given);
  const whole = (first: Tensor, ...rest: Tensor[]) =>
    block(first, Object.fromEntries(names.map((name, i) => [name, rest[i]!])));
  const inputs = [x, ...Object.values(given)];
  return differentiable<[Tensor, ...Tensor[]]>(
    inputs,
    (save) => {
      save(x, ...Object.values(given));
      return whole(x, ...Object.values(given));
    },
    (dy, first, ...rest) => gradientsWithin(whole as (...all: Tensor[]) => Tensor, [after(first, dy), ...rest], dy),
  );
}
