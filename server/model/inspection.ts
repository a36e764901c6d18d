import { argMax, ones, reshape, zeros } from "@tensorflow/tfjs-core";
import { crossEntropy } from "../ops/crossEntropy.ts";
import { named, type Program, program } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { countedIn } from "../protocol/routingStatistics.ts";
import type { BatchSpecs } from "./loss.ts";
import { drawsExperts, noiseShape } from "./noise.ts";
import { routingInputs } from "./routingInputs.ts";
import { routingResults, routingStatistics } from "./routingStatistics.ts";
import { logits } from "./transformer.ts";

/** Additional batch input of a Mixture-of-Experts: `mask` [Lmoe, E], which switches experts off. */
export const maskSpec = ({ moe }: ModelConfig): BatchSpecs =>
  moe ? { mask: { shape: [moe.layers.length, moe.experts.length], dtype: "float32" } } : {};

/**
 * The batch of `inspection`: `tokens` and `targets` [B, T] int32, each target being the token that follows; for a
 * Mixture-of-Experts `mask` [Lmoe, E] and, with `counts`, `counted` [B*T, 1]; for sampling routers `noise`
 * [Lmoe, B*T, E].
 */
export const inspectionBatch = (config: ModelConfig, batch: number, time: number, counts = false): BatchSpecs => ({
  tokens: { shape: [batch, time], dtype: "int32" },
  targets: { shape: [batch, time], dtype: "int32" },
  ...maskSpec(config),
  ...(drawsExperts(config) ? { noise: { shape: noiseShape(config, batch * time), dtype: "float32" } } : {}),
  ...(counts && config.moe ? { counted: { shape: [batch * time, 1], dtype: "float32" } } : {}),
});

/**
 * Runs a model on N = B*T tokens in generation mode, so no token is dropped. State: parameters. Results: `nll` [N],
 * nats; `likeliest` [N] int32, the most likely next token; `routingResults`; and, with `counted` [N, 1] in the batch,
 * the routing statistics of texts and probes over the tokens whose `counted` is 1, as a single domain.
 */
export function inspection(config: ModelConfig): Program {
  return program("inspection", (state, batch) => {
    const tokens = named(batch, "tokens");
    const count = tokens.size;
    const routing = routingInputs(batch, ones([count, 1]), "generation");
    const { counted } = batch;
    const forward = logits(state, tokens, config, routing);
    return {
      state: {},
      results: {
        nll: crossEntropy(forward.logits, reshape(named(batch, "targets"), [count])),
        likeliest: argMax(forward.logits, -1),
        ...routingResults(forward.routings),
        ...(counted
          ? routingStatistics(countedIn("text", "probe"), forward.routings, {
              domain: zeros([tokens.shape[0] ?? 0], "int32"),
              weights: counted,
              domains: 1,
            })
          : {}),
      },
    };
  });
}
