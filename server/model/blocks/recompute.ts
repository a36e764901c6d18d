import type { Tensor } from "@tensorflow/tfjs-core";
import type { Tensors } from "../../ops/program.ts";
import { recomputed } from "../../ops/recomputed.ts";

/**
 * How a part of a layer is computed: of x [N, D] and the tensors it is given besides, its parameters and gates. `compute` reads
 * no other tensor that has a gradient.
 */
export type Block = (x: Tensor, given: Tensors, compute: (x: Tensor, given: Tensors) => Tensor) => Tensor;

export const plainBlock: Block = (x, given, compute) => compute(x, given);

/** See `recomputed`. */
export const recomputedBlock: Block = (x, given, compute) => recomputed(compute, x, given);

/** The parameters whose names begin so. */
export const parametersOf = (params: Tensors, prefix: string): Tensors =>
  Object.fromEntries(Object.entries(params).filter(([name]) => name.startsWith(prefix)));
