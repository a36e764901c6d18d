import type { TokenFile } from "./tokenFile.ts";
import type { Tokenizer } from "./tokenizers/tokenizer.ts";

/** A batch of held-out text. */
export interface HeldOutBatch {
  /** Token ids [B, T + 1]: inputs are the first T columns, targets the last T. */
  tokens: Int32Array;
  /** [B, T]: 1 where the target counts, 0 where it is padding. */
  weights: Float32Array;
}

export interface HeldOutOptions {
  /** T */
  context: number;
  /** B */
  batch: number;
  /** Maximum number of targets; absent: all. */
  maxTokens?: number;
}

/**
 * Held-out text in windows of T + 1 tokens, each beginning with the last token of the one before, so that every token
 * but the very first is a target once. If that would be more than `maxTokens` targets, as many whole windows as fit are
 * taken at even distances (of one window its first targets, if not even one fits). What is missing in the last window
 * and the last batch is end-of-text with weight 0.
 */
export function* heldOutWindows(
  file: TokenFile,
  { context, batch, maxTokens = Infinity }: HeldOutOptions,
): Generator<HeldOutBatch> {
  const targets = Math.max(0, file.length - 1);
  const windows = Math.ceil(targets / context);
  const limit = Math.min(context, maxTokens);
  const taken = targets <= maxTokens ? windows : Math.max(1, Math.floor(maxTokens / context));
  for (let first = 0; first < taken; first += batch) {
    const tokens = new Int32Array(batch * (context + 1)).fill(file.endOfText);
    const weights = new Float32Array(batch * context);
    for (let row = 0; row < batch && first + row < taken; row++) {
      const start = Math.floor(((first + row) * windows) / taken) * context;
      const count = Math.min(limit, targets - start);
      file.read(start, count + 1, tokens, row * (context + 1));
      weights.fill(1, row * context, row * context + count);
    }
    yield { tokens, weights };
  }
}

/** Bytes of text by token id [V]; special tokens have none. */
export function byteLengths(tokenizer: Tokenizer): Uint32Array {
  return Uint32Array.from({ length: tokenizer.vocab }, (_, id) => tokenizer.byteLength(id));
}

/** UTF-8 bytes of text that the batch's targets of weight 1 stand for. */
export function targetBytes({ tokens, weights }: HeldOutBatch, lengths: Uint32Array): number {
  const batch = tokens.length - weights.length;
  const context = weights.length / batch;
  let bytes = 0;
  for (let row = 0; row < batch; row++) {
    for (let time = 0; time < context; time++) {
      if (weights[row * context + time]! > 0) bytes += lengths[tokens[row * (context + 1) + time + 1]!]!;
    }
  }
  return bytes;
}
