import { totalSize } from "../../../parameters/declaration.ts";
import { expertNames } from "../../../parameters/names.ts";
import { expertsPerToken, expertWidth, type ModelConfig, type MoeConfig } from "../../../protocol/model.ts";
import { routerParameters } from "../../../routers/declarations.ts";
import { type BlockDeclaration, matricesOf, wholeBlock } from "../declaration.ts";
import { type CutParameter, feedForwardParameters, keptOfRow } from "../feedForward/declaration.ts";

/** Parameters of one expert of a layer, which is a complete feed-forward block. */
export const expertParameters = (config: ModelConfig, layer: number, expert: number): CutParameter[] =>
  feedForwardParameters(config, {
    names: expertNames(layer, expert),
    width: expertWidth(config),
    group: "experts",
    expert: config.moe?.experts[expert],
  });

/**
 * A Mixture-of-Experts block: its router, then its experts. Kept for the backward pass: each of the S = N*K rows twice,
 * as gathered and before it is scattered back, and the router's logits and gates.
 *
 * @param counts Measured average number of experts per token, by position among the MoE layers; default K
 */
export function moe(config: ModelConfig, moe: MoeConfig, layer: number, counts?: readonly number[]): BlockDeclaration {
  const position = moe.layers.indexOf(layer);
  const router = wholeBlock(routerParameters(config, moe, layer));
  const experts = moe.experts.map((_, expert) => expertParameters(config, layer, expert));
  const [one = []] = experts;
  const k = Math.min(counts?.[position] ?? expertsPerToken(moe, position), experts.length);
  const matrices = matricesOf(experts.flat());
  return {
    parameters: [...router.parameters, ...experts.flat()],
    activeParameters: router.activeParameters + k * totalSize(one),
    multiplied: [...router.multiplied, { parameters: matrices, weights: k * totalSize(matricesOf(one)) }],
    multiplyAdds: 0,
    kept({ batch, time, share }) {
      const tokens = batch * time;
      const ofRow = keptOfRow(expertWidth(config)) + 2 * config.hidden;
      return share * tokens * k * ofRow + 2 * tokens * experts.length;
    },
  };
}
