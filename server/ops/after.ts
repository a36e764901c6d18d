import type { Tensor } from "@tensorflow/tfjs-core";
import { kernelOr } from "./kernel.ts";

/**
 * x, computed only once `first` is there: an engine that orders a whole graph by its data must not begin earlier with what
 * is made of it. Any shapes, float32. Not differentiated. Kernel `After`; an eager engine has this order anyway.
 */
export const after = (x: Tensor, first: Tensor): Tensor => kernelOr("After", { x, first }, {}, () => x);
