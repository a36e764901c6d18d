import type { ParameterDeclaration } from "../../../parameters/declaration.ts";
import { normBiasName } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { type BlockDeclaration, wholeBlock } from "../declaration.ts";

/** Parameters of a norm of rows of `width` values: a weight and, of a LayerNorm, a bias. At first it only normalizes. */
export function normParameters(name: string, config: Pick<ModelConfig, "norm">, width: number): ParameterDeclaration[] {
  const common = {
    shape: [width],
    group: "norms",
    decays: false,
    follows: "gradient",
  } satisfies Partial<ParameterDeclaration>;
  const weight: ParameterDeclaration = {
    ...common,
    name,
    start: { type: config.norm === "plus-one" ? "zeros" : "ones" },
  };
  if (config.norm !== "layer") return [weight];
  return [weight, { ...common, name: normBiasName(name), start: { type: "zeros" } }];
}

/** A norm of the residual stream [N, D]. Its output counts as kept in the block that reads it. */
export const norm = (name: string, config: ModelConfig): BlockDeclaration =>
  wholeBlock(normParameters(name, config, config.hidden));
