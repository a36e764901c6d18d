import { setImmediate } from "node:timers/promises";
import { type Data, openData } from "../data/dataset.ts";
import { heldOutWindows } from "../data/heldOut.ts";
import type { Values } from "../engine/program.ts";
import { drawsExperts, EVALUATION_NOISE_SEED, gumbelNoise, joinNoise } from "../model/noise.ts";
import type { InspectionProgress } from "../protocol/inspect.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { EvaluateSpec } from "../protocol/stage.ts";
import { evaluationOf, type FoundModel } from "../runs/findModel.ts";

/** How work on held-out text is watched and ended: between two batches, by throwing the signal's reason. */
export interface Watch {
  signal: AbortSignal;
  progress(told: InspectionProgress): void;
}

/** A batch of held-out windows, as the evaluation of the model has them. */
export interface HeldOutWindows {
  domain: string;
  domainIndex: number;
  /** [B, T] each; a target is the token after, weight 0 where it is padding. */
  tokens: Int32Array;
  targets: Int32Array;
  weights: Float32Array;
  /** What routers that draw are given; {} for others. */
  noise: { noise?: Float32Array };
}

/** Opens the held-out text on which a model is evaluated, for as long as `work` takes. */
export async function withHeldOut<T>(
  found: FoundModel,
  work: (data: Data, spec: EvaluateSpec) => Promise<T>,
): Promise<T> {
  const { spec, data: folder } = evaluationOf(found);
  const data = await openData(folder);
  try {
    return await work(data, spec);
  } finally {
    data.close();
  }
}

/**
 * Batches of the held-out windows of all domains, those of the evaluation (stages/evaluate.ts): the same text, windows and
 * noise. `maxTokens` may make them fewer.
 */
export async function* heldOutBatches(
  config: ModelConfig,
  data: Data,
  { domains, batch, tokens: most }: Pick<EvaluateSpec, "domains" | "batch" | "tokens">,
  { signal, progress }: Watch,
): AsyncGenerator<HeldOutWindows> {
  const { context } = config;
  const windows = { context, batch, maxTokens: most };
  const total = domains.reduce((sum, domain) => sum + Math.min(most, data.split(domain, "heldout").length), 0);
  let done = 0;
  for (const [domainIndex, domain] of domains.entries()) {
    let before = 0;
    for (const { tokens: rows, weights } of heldOutWindows(data.split(domain, "heldout"), windows)) {
      await setImmediate();
      signal.throwIfAborted();
      const [tokens, targets] = [new Int32Array(batch * context), new Int32Array(batch * context)];
      for (let row = 0; row < batch; row++) {
        const start = row * (context + 1);
        tokens.set(rows.subarray(start, start + context), row * context);
        targets.set(rows.subarray(start + 1, start + context + 1), row * context);
      }
      yield { domain, domainIndex, tokens, targets, weights, noise: noiseOfWindows(config, before, batch) };
      before += batch;
      for (const weight of weights) done += weight;
      progress({ done: Math.min(done, total), total });
    }
  }
}

/** The noise of `count` windows from number `first` on: a window's does not depend on the batch it is in. */
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

/** Sum of the values [N] whose weight [N] is not 0, and how many they are. */
export function counted(values: Values, weights: Float32Array): { sum: number; count: number } {
  let [sum, count] = [0, 0];
  for (let i = 0; i < weights.length; i++) {
    if (weights[i]! === 0) continue;
    sum += values[i]!;
    count++;
  }
  return { sum, count };
}
