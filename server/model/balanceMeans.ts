import { concat, reshape, type Tensor } from "@tensorflow/tfjs-core";
import { named, type Program, program } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { balancesByLoss } from "../routers/auxiliaryLosses.ts";
import type { BalanceMeans } from "../routers/router.ts";
import { routingInputs } from "./routingInputs.ts";
import { type Computing, decoder, wholeSequences } from "./transformer.ts";

/** Whether a model's load balancing multiplies means over the whole batch, which its micro-batches must then be given. */
export const balancesOverBatch = ({ moe }: ModelConfig): boolean =>
  moe?.router.balanceOver === "batch" && balancesByLoss(moe.router);

/**
 * The means that load balancing multiplies, of one micro-batch: a forward pass alone. State: parameters. Batch: a
 * training `sequenceBatch`. Results: `meanGates` and `meanProbabilities` [Lmoe, E]; their averages over micro-batches of
 * equal weight are what a `sequenceBatch` with `means` takes. For models of `balancesOverBatch`.
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
          if (!means) throw new Error("the routers balance nothing by means");
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
