import { type Tensor, where } from "@tensorflow/tfjs-core";
import { kernelOr } from "./kernel.ts";

/**
 * a where the one `condition` [] holds, else b, both of one shape; nothing of what is not chosen comes through, not even
 * NaN. Kernel `Choose`: TF.js's `where` spreads the condition over the shape first. Not differentiated.
 */
export const choose = (condition: Tensor, a: Tensor, b: Tensor): Tensor =>
  kernelOr<Tensor>("Choose", { condition, a, b }, {}, () => where(condition, a, b));
