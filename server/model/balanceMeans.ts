import { concat, reshape, type Tensor } from "@tensorflow/tfjs-core";
import { named, type Program, program } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { balancesByLoss } from "../routers/auxiliaryLosses.ts";
import type { BalanceMeans } from "../routers/router.ts";
import { routingInputs } from "./routingInputs.ts";
import { type Computing, decoder, wholeSequences } from "./transformer.ts";

/** Whether a model's load-balancing loss uses means over the whole batch, which each micro-batch must then be given. */
export const balancesOverBatch = ({ moe }: ModelConfig): boolean =>
  moe?.router.balanceOver === "batch" && balancesByLoss(moe.router);

/**
 * Computes one micro-batch's means for the load-balancing loss, by a forward pass only. State: parameters. Batch: a
 * training `sequenceBatch`. Results: `meanGates` and `meanProbabilities` [Lmoe, E]; their averages over micro-batches
 * of equal weight are the inputs of a `sequenceBatch` with `means`. Requires `balancesOverBatch`.
 */
export function balanceMeans(config: ModelConfig, computing: Computing = {}): Program {
  return program("balanceMeans", (state, batch) => {
    const tokens = named(batch, "tokens");
    const weights = reshape(named(batch, "weights"), [tokens.size, 1]);
    const routing = routingInputs(batch, weights, "training", computing.routerStage);
    const pass = wholeSequences(tokens.shape[1]!, routing, config, computing);
    const { routings } = decoder(state, tokens, pass, config);
    const byLayer = (of: (means: BalanceMeans) => Tensor) =>
      concat(
        routings.map(({ means }) => {
          if (!means) throw new Error("the routers report no means for load balancing");
          return of(means);
        }),
        0,
      );
    return {
      state: {},
      results: {
        meanGates: byLayer(({ gates }) => gates),
        meanProbabilities: byLayer(({ probabilities }) => probabilities),
      },
    };
  });
}
