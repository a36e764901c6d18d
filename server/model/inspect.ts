import { argMax, ones, reshape } from "@tensorflow/tfjs-core";
import { crossEntropy } from "../ops/crossEntropy.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { Routing } from "../routers/router.ts";
import type { BatchSpecs } from "./loss.ts";
import { drawsExperts, noiseShape } from "./noise.ts";
import { named, type Program, type Tensors } from "./program.ts";
import { routingInputs } from "./routingInputs.ts";
import { logits } from "./transformer.ts";

/** The mask that switches experts off, [Lmoe, E], beside what a batch of a Mixture-of-Experts has already. */
export const maskSpec = ({ moe }: ModelConfig): BatchSpecs =>
  moe ? { mask: { shape: [moe.layers.length, moe.experts.length], dtype: "float32" } } : {};

/**
 * What `inspection` reads: `tokens` and `targets` [B, T] int32, the targets being the tokens after each; for a
 * Mixture-of-Experts `mask` [Lmoe, E]; for routers that draw `noise` [Lmoe, B*T, E].
 */
export const inspectionBatch = (config: ModelConfig, batch: number, time: number): BatchSpecs => ({
  tokens: { shape: [batch, time], dtype: "int32" },
  targets: { shape: [batch, time], dtype: "int32" },
  ...maskSpec(config),
  ...(drawsExperts(config) ? { noise: { shape: noiseShape(config, batch * time), dtype: "float32" } } : {}),
});

/** Names of the results of the Mixture-of-Experts layer at `position` among these layers. */
export const expertsResult = (position: number): string => `experts.${position}`;
export const gatesResult = (position: number): string => `gates.${position}`;

/** Experts [N, K] int32 and gates [N, K] of each layer by these names; K may differ by layer. */
export const routingResults = (routings: Routing[]): Tensors =>
  Object.fromEntries(
    routings.flatMap(({ experts, gates }, position) => [
      [expertsResult(position), experts],
      [gatesResult(position), gates],
    ]),
  );

/**
 * What a model makes of N = B*T tokens, as in generation: no token is dropped. State: parameters. Results: `nll` [N],
 * nats; `likeliest` [N] int32, the likeliest next token; and `routingResults`.
 */
export function inspection(config: ModelConfig): Program {
  return (state, batch) => {
    const tokens = named(batch, "tokens");
    const count = tokens.size;
    const routing = routingInputs(batch, ones([count, 1]), "generation");
    const forward = logits(state, tokens, config, routing);
    return {
      state: {},
      results: {
        nll: crossEntropy(forward.logits, reshape(named(batch, "targets"), [count])),
        likeliest: argMax(forward.logits, -1),
        ...routingResults(forward.routings),
      },
    };
  };
}
