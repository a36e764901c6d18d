import type { ParameterDeclaration } from "../../../parameters/declaration.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { type BlockDeclaration, wholeBlock } from "../declaration.ts";

/** An RMS norm: weight [D], initially 1. Its output counts as kept in the block that reads it. */
export const norm = (name: string, { hidden }: ModelConfig): BlockDeclaration =>
  wholeBlock([
    {
      name,
      shape: [hidden],
      start: { type: "ones" },
      group: "norms",
      decays: false,
      follows: "gradient",
    } satisfies ParameterDeclaration,
  ]);
