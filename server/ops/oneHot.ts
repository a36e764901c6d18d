import { cast, equal, expandDims, range, type Tensor } from "@tensorflow/tfjs-core";

/**
 * 1 at each index, 0 elsewhere: indices [...] int32, each from 0 to depth-1 -> [..., depth] float32. Unlike TF.js's
 * own, it accepts a depth of 1.
 */
export const oneHot = (indices: Tensor, depth: number): Tensor =>
  cast(equal(expandDims(indices, -1), range(0, depth, 1, "int32")), "float32");
