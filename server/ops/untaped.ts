import { customGrad, type Tensor } from "@tensorflow/tfjs-core";

/**
 * The value of `f()`, cut off from differentiation: what TF.js lacks as stopGradient. For integer decisions such as
 * top-k indices, which TF.js cannot differentiate through and refuses to meet on the way back.
 */
export function untaped<T extends Tensor>(f: () => T): T {
  return customGrad(() => ({ value: f(), gradFunc: () => [] }))() as T;
}
