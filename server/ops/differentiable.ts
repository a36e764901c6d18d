import { customGrad, type GradSaveFunc, type Tensor } from "@tensorflow/tfjs-core";

/**
 * An op with a custom gradient. `forward` computes the value and passes to `save` all tensors that `backward` needs;
 * other tensors made in `forward` are disposed of. `backward` turns the value's gradient and the saved tensors into one
 * gradient for each of `inputs`. Nothing else that the op reads is differentiated.
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
