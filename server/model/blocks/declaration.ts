import { type Declared, totalSize } from "../../parameters/declared.ts";
import type { TrainingConfig } from "../../protocol/stage.ts";

/** What a forward pass keeps depends on. */
export interface KeptFor {
  /** Sequences (B) and tokens a sequence (T). */
  batch: number;
  time: number;
  /** Floats that a value takes which products in blocks read or give: a half in float16. */
  share: number;
}

/** Matrices that a token is multiplied with: `weights` of their values, of experts those of the K that it goes to. */
export interface Multiplied {
  parameters: Declared[];
  weights: number;
}

/**
 * What a block is, without running it: what it has and what it costs. Its forward pass is in the `forward.ts` beside its
 * declaration. Declarations load no TF.js, so that an editor can read them.
 */
export interface BlockDeclaration {
  /** In the order of the forward pass. */
  parameters: Declared[];
  /** Number of parameters that one token meets. */
  activeParameters: number;
  /** What a token is multiplied with. */
  multiplied: Multiplied[];
  /** Multiply-adds a token, at full context, in which no parameter takes part. */
  multiplyAdds: number;
  /** Floats that the forward pass keeps for the backward pass. */
  kept(pass: KeptFor): number;
}

/** Weights of a list of matrices; biases are no matrices. */
export const matricesOf = (parameters: readonly Declared[]): Declared[] =>
  parameters.filter(({ shape }) => shape.length === 2);

/** A block in which a token meets all parameters and is multiplied with every matrix once. */
export function wholeBlock(
  parameters: Declared[],
  { multiplyAdds = 0, kept = () => 0 }: Partial<Pick<BlockDeclaration, "multiplyAdds" | "kept">> = {},
): BlockDeclaration {
  const matrices = matricesOf(parameters);
  const multiplied = matrices.length > 0 ? [{ parameters: matrices, weights: totalSize(matrices) }] : [];
  return { parameters, activeParameters: totalSize(parameters), multiplied, multiplyAdds, kept };
}

/** How a training pass computes, as far as what it keeps depends on it. */
export type Precision = Pick<TrainingConfig, "precision">;
export const floatShare = ({ precision }: Precision): number => (precision === "float16" ? 1 / 2 : 1);
