import type { Declared } from "../../../parameters/declared.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { type BlockDeclaration, wholeBlock } from "../declaration.ts";

/** An RMS norm: weight [D], which starts at 1. What it gives is counted by the block that it is given to. */
export const norm = (name: string, { hidden }: ModelConfig): BlockDeclaration =>
  wholeBlock([
    {
      name,
      shape: [hidden],
      start: { type: "ones" },
      group: "norms",
      decays: false,
      follows: "gradient",
    } satisfies Declared,
  ]);
