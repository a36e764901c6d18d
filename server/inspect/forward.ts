import { setImmediate } from "node:timers/promises";
import { noiseOfPositions } from "../evaluation/decoder.ts";
import type { Values } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { countedIn, type RoutingStatistic } from "../protocol/routingStatistics.ts";
import { Choices } from "../routing/choices.ts";
import type { WarmModel } from "./warmModels.ts";

/** A forward pass over the N tokens of a text. */
export interface ForwardResult {
  choices: Choices;
  /** Negative log-likelihood of each token after those before it, nats [N]; NaN for the first. */
  surprise: Float32Array;
  /** The most likely next token [N]. */
  likeliest: Int32Array;
  /** Routing statistics of the tokens, if they were requested. */
  counts?: Partial<Record<RoutingStatistic, Float64Array>>;
}

export interface ForwardOptions {
  /** Experts per token; absent: as the model was trained. */
  k?: number | undefined;
  mask: { mask?: Float32Array };
  /** For a Mixture-of-Experts: also sum routing statistics. */
  counts?: boolean;
  signal: AbortSignal;
}

/**
 * Shortest window that a program is compiled for. Shorter texts are padded at the end, where causal attention does not
 * look.
 */
const shortest = 64;

interface Window {
  start: number;
  /** First token that counts, relative to the window's start. */
  from: number;
}

/**
 * Windows of T tokens over a text of N: one if it fits; otherwise each starts half a window after the previous one, and
 * only the tokens that no earlier window has counted are counted.
 */
export function windowsOver(tokens: number, time: number): Window[] {
  const step = Math.max(1, Math.floor(time / 2));
  const windows: Window[] = [{ start: 0, from: 0 }];
  for (let end = time; end < tokens; end += step) windows.push({ start: end + step - time, from: time - step });
  return windows;
}

/**
 * Runs a text through a model, window by window; see `inspections.route` for how it is cut. Throws the reason of an
 * aborted signal between two windows.
 */
export async function forward(model: WarmModel, ids: Int32Array, options: ForwardOptions): Promise<ForwardResult> {
  const { k, mask, signal } = options;
  const config = model.config(k);
  const counts = options.counts && config.moe ? ({} as NonNullable<ForwardResult["counts"]>) : undefined;
  const time = windowLength(config, ids.length);
  const windows = windowsOver(ids.length, time);
  const noise = noiseOfPositions(config);
  const choices = new Choices(config, ids.length);
  const surprise = new Float32Array(ids.length).fill(Number.NaN);
  const likeliest = new Int32Array(ids.length);
  for (const { start, from } of windows) {
    await setImmediate();
    signal.throwIfAborted();
    const program = await model.inspection(1, time, k, counts !== undefined);
    const [tokens, targets] = [new Int32Array(time), new Int32Array(time)];
    tokens.set(ids.subarray(start, start + time));
    targets.set(ids.subarray(start + 1, start + time + 1));
    const counted = Float32Array.from(tokens, (_, t) => Number(t >= from && start + t < ids.length));
    const drawn = noise(Int32Array.of(start), time);
    const results = await program.run({ tokens, targets, ...mask, ...drawn, ...(counts ? { counted } : {}) });
    if (counts) add(counts, results);
    for (let t = from; t < time && start + t < ids.length; t++) {
      choices.take(results, t, start + t);
      likeliest[start + t] = results.likeliest![t]!;
      if (t > 0) surprise[start + t] = results.nll![t - 1]!;
    }
  }
  return { choices, surprise, likeliest, ...(counts ? { counts } : {}) };
}

function add(counts: NonNullable<ForwardResult["counts"]>, results: Record<string, Values>): void {
  for (const name of countedIn("text")) {
    const sums = counts[name];
    counts[name] = sums
      ? sums.map((sum, at) => sum + (results[name]?.[at] ?? 0))
      : Float64Array.from(results[name] ?? []);
  }
}

/** Tokens per window: the context, or less for a much shorter text. */
const windowLength = ({ context }: ModelConfig, tokens: number): number =>
  Math.min(context, 2 ** Math.ceil(Math.log2(Math.max(tokens, shortest))));
