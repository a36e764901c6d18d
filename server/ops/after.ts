import type { Tensor } from "@tensorflow/tfjs-core";
import { kernelOr } from "./kernel.ts";

/**
 * Returns x, but only after `first` is computed: an engine that orders a whole graph by its data dependencies must not
 * start computations that read the result earlier. Any shapes, float32. Not differentiated. Kernel `After`; an eager
 * engine keeps this order anyway.
 */
export const after = (x: Tensor, first: Tensor): Tensor => kernelOr("After", { x, first }, {}, () => x);
