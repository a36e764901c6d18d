import { engine, getBackend, getKernel, grads, type Tensor } from "@tensorflow/tfjs-core";
import { after } from "./after.ts";
import { differentiable } from "./differentiable.ts";

type Tensors = Record<string, Tensor>;
type Block = (x: Tensor, given: Tensors) => Tensor;

/** TF.js keeps one tape and drops it after each gradient; this one is taken on the way back through another's. */
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
 * block(x, given), of which nothing is kept for the gradient but x and `given`: what the block makes on the way is made
 * once more on the way back. The same values for less memory and one more forward pass of the block. Chen et al., arXiv
 * 1604.06174. On a backend that orders graphs (`after`); others keep all. Differentiated in x and all of `given`, each of which the block must use.
 */
export function recomputed(block: Block, x: Tensor, given: Tensors): Tensor {
  // An eager backend has freed by then what a block reads besides: there it is computed as usual.
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
