import { type ParameterDeclaration, totalSize } from "../../parameters/declaration.ts";
import type { TrainingConfig } from "../../protocol/stage.ts";

/** The quantities that determine how many activations a forward pass keeps. */
export interface PassSize {
  /** Sequences (B) and tokens per sequence (T). */
  batch: number;
  time: number;
  /** Size in floats of a value that a matrix product inside a block reads or produces: 1/2 in float16, else 1. */
  share: number;
}

/**
 * Matrices and how many of their weights multiply a token: all of them, or for experts those of the token's K experts.
 */
export interface Multiplied {
  parameters: ParameterDeclaration[];
  weights: number;
}

/**
 * A block's parameters and cost, known without running it. Its forward pass is in the `forward.ts` next to its
 * declaration. Declarations do not load TF.js, so the editor can use them.
 */
export interface BlockDeclaration {
  /** In the order of the forward pass. */
  parameters: ParameterDeclaration[];
  /** Number of parameters used for one token. */
  activeParameters: number;
  /** Matrices that multiply a token. */
  multiplied: Multiplied[];
  /** Multiply-adds per token, at full context, that involve no parameter. */
  multiplyAdds: number;
  /** Number of floats that the forward pass keeps for the backward pass. */
  kept(pass: PassSize): number;
}

/** The matrices among these parameters; biases and norms are left out. */
export const matricesOf = (parameters: readonly ParameterDeclaration[]): ParameterDeclaration[] =>
  parameters.filter(({ shape }) => shape.length === 2);

/** A block in which every token uses all parameters and is multiplied by every matrix once. */
export function wholeBlock(
  parameters: ParameterDeclaration[],
  { multiplyAdds = 0, kept = () => 0 }: Partial<Pick<BlockDeclaration, "multiplyAdds" | "kept">> = {},
): BlockDeclaration {
  const matrices = matricesOf(parameters);
  const multiplied = matrices.length > 0 ? [{ parameters: matrices, weights: totalSize(matrices) }] : [];
  return { parameters, activeParameters: totalSize(parameters), multiplied, multiplyAdds, kept };
}

/** The training option that affects how many floats are kept. */
export type Precision = Pick<TrainingConfig, "precision">;
export const floatShare = ({ precision }: Precision): number => (precision === "float16" ? 1 / 2 : 1);
