import { expertsPerToken, type ModelConfig } from "../protocol/model.ts";
import { Choices, reportedChoices } from "./choices.ts";

/** A batch of held-out windows that a model has read. */
export interface RoutedBatch {
  domain: string;
  /** [B, T] each; weight 0 for padding. */
  inputs: { tokens: Int32Array; weights: Float32Array };
}

/** Where the tokens of a held-out window go. */
export interface RoutedWindow {
  domain: string;
  /** Token ids [N], and the most likely token after each. */
  ids: Int32Array;
  likeliest: Int32Array;
  choices: Choices;
}

/** Maximum number of choices kept per model: L * N * K. */
const maxKept = 40_000_000;

/** Maximum number of tokens per domain whose choices are kept. */
export const keptTokens = (config: ModelConfig, domains: number): number =>
  Math.ceil(maxKept / Math.max(1, (config.moe?.layers.length ?? 0) * reportedChoices(config) * domains));

/** The windows of a batch, from a program's `routingResults` and `likeliest`, without padding windows. */
export function routedWindows(
  config: ModelConfig,
  { domain, inputs: { tokens, weights } }: RoutedBatch,
  results: Readonly<Record<string, ArrayLike<number>>>,
): RoutedWindow[] {
  const { context } = config;
  const windows: RoutedWindow[] = [];
  for (let start = 0; start < weights.length; start += context) {
    const count = weights.subarray(start, start + context).reduce((sum, weight) => sum + weight, 0);
    if (count === 0) continue;
    const choices = new Choices(config, count);
    for (let t = 0; t < count; t++) choices.take(results, start + t, t);
    const likeliest = Int32Array.from({ length: count }, (_, t) => results.likeliest![start + t]!);
    windows.push({ domain, ids: tokens.slice(start, start + count), likeliest, choices });
  }
  return windows;
}

/**
 * How many of a token's choices in the layer at `position` decide where it goes: K, or 1 if all experts are computed.
 */
export function decidingChoices(config: ModelConfig, position: number): number {
  const count = expertsPerToken(config.moe!, position);
  return count === config.moe!.experts.length ? 1 : Math.min(count, reportedChoices(config));
}
