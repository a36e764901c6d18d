import { customGrad, type GradSaveFunc, type Tensor } from "@tensorflow/tfjs-core";

/**
 * An op with a gradient of its own. `forward` computes the value and hands `save` whatever `backward` needs: tensors
 * made on the way forward do not outlive it otherwise. `backward` turns the value's gradient and the saved tensors
 * into one gradient for each of `inputs`; everything else the op reads is not differentiated.
 */
export function differentiable<Saved extends Tensor[]>(
  inputs: Tensor[],
  forward: (save: (...tensors: Saved) => void) => Tensor,
  backward: (dy: Tensor, ...saved: Saved) => Tensor[],
): Tensor {
  const op = customGrad((...args) => {
    const keep = args.at(-1) as unknown as GradSaveFunc;
    return {
      value: forward((...tensors) => keep(tensors)),
      gradFunc: (dy: Tensor, saved: Tensor[]) => backward(dy, ...(saved as Saved)),
    };
  });
  return op(...inputs);
}
