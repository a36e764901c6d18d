import { matMul, type Tensor } from "@tensorflow/tfjs-core";
import { float16 } from "./float16.ts";
import { groupedMatMul } from "./groupedMatMul.ts";

/** The precision in which large matrix products and their gradients are computed. */
export interface Arithmetic {
  /** x in the precision in which products read it and keep it for their gradients. */
  operand(x: Tensor): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  groupedMatMul(x: Tensor, sizes: Tensor, weights: Tensor[]): Tensor;
}

export const inFloat32: Arithmetic = { operand: (x) => x, matMul, groupedMatMul };

/** Rounds operands and results to float16. */
export const inFloat16: Arithmetic = {
  operand: float16,
  matMul: (a, b, transposeA, transposeB) => float16(matMul(float16(a), float16(b), transposeA, transposeB)),
  groupedMatMul: (x, sizes, weights) => float16(groupedMatMul(float16(x), sizes, weights.map(float16))),
};
