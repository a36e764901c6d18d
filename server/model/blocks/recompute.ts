import type { Tensor } from "@tensorflow/tfjs-core";
import type { Tensors } from "../../ops/program.ts";
import { recomputed } from "../../ops/recomputed.ts";

/**
 * Computes a part of a layer from x [N, D] and the other tensors in `given`: its parameters and gates. `compute` must
 * not read any other tensor that has a gradient.
 */
export type Block = (x: Tensor, given: Tensors, compute: (x: Tensor, given: Tensors) => Tensor) => Tensor;

export const plainBlock: Block = (x, given, compute) => compute(x, given);

/** Recomputes activations in the backward pass; see `recomputed`. */
export const recomputedBlock: Block = (x, given, compute) => recomputed(compute, x, given);

/** The parameters whose names start with `prefix`. */
export const parametersOf = (params: Tensors, prefix: string): Tensors =>
  Object.fromEntries(Object.entries(params).filter(([name]) => name.startsWith(prefix)));
