import { customGrad, type Tensor } from "@tensorflow/tfjs-core";

/**
 * The value of `f()` without its gradient: the stopGradient that TF.js lacks. For integer decisions such as top-k
 * indices, for which TF.js has no gradient and throws in the backward pass.
 */
export function untaped<T extends Tensor>(f: () => T): T {
  return customGrad(() => ({ value: f(), gradFunc: () => [] }))() as T;
}
