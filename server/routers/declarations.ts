import { bias, matrix, type ParameterDeclaration } from "../parameters/declaration.ts";
import { routerBiasName, routerName } from "../parameters/names.ts";
import type { ModelConfig, MoeConfig, RouterType } from "../protocol/model.ts";
import { Table } from "../protocol/table.ts";

/** The part of a model's configuration that its routers' parameters depend on. */
export type RouterModel = Pick<ModelConfig, "hidden" | "layers">;

/**
 * A router's parameters, known without running it; `Router` (router.ts) is its implementation. Does not load TF.js, so
 * the editor can count parameters. All of them are in the group "router".
 */
export interface RouterDeclaration {
  /** Parameters of the router in Mixture-of-Experts layer `layer`. Default: one weight [E, D]. */
  parameters?(model: RouterModel, moe: MoeConfig, layer: number): ParameterDeclaration[];
  /** Parameters that the routers of all layers share. Default: none. */
  shared?(model: RouterModel, moe: MoeConfig): ParameterDeclaration[];
}

export const declarations = new Table<RouterDeclaration>("router", {
  "top-k": {},
  switch: {},
  soft: {},
  "sample-top-1": {},
} satisfies Record<RouterType, RouterDeclaration>);

/** Parameters of the linear router: a weight [E, D]. BTX §3.2. */
const linearRouter = ({ hidden }: RouterModel, { experts }: MoeConfig, layer: number): ParameterDeclaration[] => [
  matrix({ name: routerName(layer), shape: [experts.length, hidden], group: "router" }),
];

/** The balancing bias [E] of a layer, for any router balanced by a bias. A rule updates it, not a gradient. */
const balancingBias = ({ experts }: MoeConfig, layer: number): ParameterDeclaration => ({
  ...bias({ name: routerBiasName(layer), shape: [experts.length], group: "router" }),
  follows: "rule",
});

/** The parameters of one layer's router. */
export function routerParameters(model: RouterModel, moe: MoeConfig, layer: number): ParameterDeclaration[] {
  const { parameters = linearRouter } = declarations.get(moe.router.type);
  return [...parameters(model, moe, layer), ...(moe.router.balance === "bias" ? [balancingBias(moe, layer)] : [])];
}

/** The parameters that the routers of all layers share. */
export const sharedRouterParameters = (model: RouterModel, moe: MoeConfig): ParameterDeclaration[] =>
  declarations.get(moe.router.type).shared?.(model, moe) ?? [];
