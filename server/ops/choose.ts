import { type Tensor, where } from "@tensorflow/tfjs-core";
import { kernelOr } from "./kernel.ts";

/**
 * Returns a if the scalar `condition` [] is true, else b; a and b have the same shape. NaN in the other one does not
 * leak through. Kernel `Choose`: TF.js's `where` would broadcast the condition first. Not differentiated.
 */
export const choose = (condition: Tensor, a: Tensor, b: Tensor): Tensor =>
  kernelOr<Tensor>("Choose", { condition, a, b }, {}, () => where(condition, a, b));
