import type { Data } from "../data/dataset.ts";
import { type HeldOutBatch, heldOutWindows } from "../data/heldOut.ts";
import { inputsAndTargets } from "../data/sequences.ts";
import { drawsExperts, EVALUATION_NOISE_SEED, gumbelNoise, joinNoise } from "../model/noise.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { EvaluateSpec } from "../protocol/stage.ts";

/** Held-out text as models are evaluated on it, in their evaluation and in later inspections. */

export interface EvaluationBatch {
  domain: string;
  domainIndex: number;
  window: HeldOutBatch;
  /** [B, T] each; a target is the next token, its weight 0 for padding. `noise` only for sampling routers. */
  inputs: { tokens: Int32Array; targets: Int32Array; weights: Float32Array; noise?: Float32Array };
}

/** Batches of the held-out windows of one domain, by its index. */
export function* evaluationBatches(
  config: ModelConfig,
  data: Pick<Data, "split">,
  { domains, batch, tokens: maxTokens }: Pick<EvaluateSpec, "domains" | "batch" | "tokens">,
  domainIndex: number,
): Generator<EvaluationBatch> {
  const { context } = config;
  const domain = domains[domainIndex]!;
  let before = 0;
  for (const window of heldOutWindows(data.split(domain, "heldout"), { context, batch, maxTokens })) {
    const inputs = { ...inputsAndTargets(window.tokens, batch, context), weights: window.weights };
    yield { domain, domainIndex, window, inputs: { ...inputs, ...noiseOfWindows(config, before, batch) } };
    before += batch;
  }
}

/** Inputs of the program `evaluation`: for a Mixture-of-Experts also the domain of each sequence. */
export const evaluationInputs = (
  { moe }: ModelConfig,
  { inputs, domainIndex }: EvaluationBatch,
  batch: number,
): Record<string, Int32Array | Float32Array> => ({
  ...inputs,
  ...(moe ? { domain: new Int32Array(batch).fill(domainIndex) } : {}),
});

/**
 * The result `nll` of `evaluation` without padding: negative log-likelihoods of a batch's targets in their order, nats.
 */
export const countedNll = ({ inputs: { weights } }: EvaluationBatch, nll: ArrayLike<number> = []): Float32Array =>
  Float32Array.from(nll).filter((_, target) => (weights[target] ?? 0) > 0);

/** The noise of `count` windows from number `first` on; it does not depend on the batch that a window is in. */
function noiseOfWindows(config: ModelConfig, first: number, count: number): { noise?: Float32Array } {
  if (!drawsExperts(config)) return {};
  const one = (row: number) => gumbelNoise(config, config.context, EVALUATION_NOISE_SEED, first + row);
  return {
    noise: joinNoise(
      config,
      Array.from({ length: count }, (_, row) => one(row)),
    ),
  };
}
