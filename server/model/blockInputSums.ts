import { concat, matMul, ones, reshape } from "@tensorflow/tfjs-core";
import { named, type Program, program } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { BatchSpecs } from "./loss.ts";
import { decoder, wholeSequences } from "./transformer.ts";

/**
 * The batch that `blockInputSums` reads: `tokens` [B, T] int32 and `weights` [B, T], 0 for tokens that do not count.
 */
export const blockInputBatch = ({ context }: ModelConfig, batch: number): BatchSpecs => ({
  tokens: { shape: [batch, context], dtype: "int32" },
  weights: { shape: [batch, context], dtype: "float32" },
});

/**
 * Weighted sums over a batch's tokens of the inputs of these layers' feed-forward blocks: the normed hidden states
 * after attention, which are also what a router in the same place would read. Runs a forward pass only.
 * State: parameters. Result: `sums` [layers, D].
 */
export function blockInputSums(config: ModelConfig, layers: readonly number[]): Program {
  return program("blockInputSums", (state, batch) => {
    const tokens = named(batch, "tokens");
    const weights = reshape(named(batch, "weights"), [1, tokens.size]);
    const routing = { mode: "evaluation" as const, stage: "fixed" as const, weights: ones([tokens.size, 1]) };
    const pass = wholeSequences(tokens.shape[1]!, routing, config);
    const { blockInputs } = decoder(state, tokens, pass, config);
    return {
      state: {},
      results: {
        sums: concat(
          layers.map((layer) => matMul(weights, blockInputs[layer]!)),
          0,
        ),
      },
    };
  });
}
