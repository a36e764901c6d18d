import {
  add,
  cast,
  equal,
  expandDims,
  floorDiv,
  matMul,
  minimum,
  mul,
  ones,
  range,
  reshape,
  scalar,
  sub,
  type Tensor,
} from "@tensorflow/tfjs-core";
import { unseen } from "../ops/causalAttention.ts";
import { MASKED, maskedSoftmax } from "../ops/maskedSoftmax.ts";
import { placeRows } from "../ops/placeRows.ts";
import { named, type Program, program, type Tensors } from "../ops/program.ts";
import { softCapped } from "../ops/softCap.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { head } from "./blocks/embedding/forward.ts";
import { maskSpec } from "./inspection.ts";
import type { BatchSpecs } from "./loss.ts";
import { drawsExperts, noiseShape } from "./noise.ts";
import { routingInputs } from "./routingInputs.ts";
import { routingResults } from "./routingStatistics.ts";
import { decoder, type Pass } from "./transformer.ts";

export const keyCacheName = (layer: number): string => `cache.k.${layer}`;
export const valueCacheName = (layer: number): string => `cache.v.${layer}`;

/**
 * Shapes of the key and value caches of B sequences of at most `length` tokens (C), initially zero: [B, Hkv, C + 1, d]
 * each. The last slot takes tokens at position C or beyond and is never attended to.
 */
export function cacheShapes(config: ModelConfig, batch: number, length: number): Map<string, number[]> {
  const shape = [batch, config.kvHeads, length + 1, config.headSize];
  return new Map(
    Array.from({ length: config.layers }, (_, layer) => [keyCacheName(layer), valueCacheName(layer)])
      .flat()
      .map((name) => [name, shape]),
  );
}

export interface DecodeOptions {
  /** Adds `maskSpec` to the batch, and `routingResults` of the input tokens to the results. */
  inspected?: boolean;
}

/**
 * The batch of a decoding step: `tokens` [B, T] int32; `positions` [B] int32, the position of each row's first token;
 * `lengths` [B] int32, how many of a row's T tokens are real (1 to T; the rest is padding at the end); and, for
 * sampling routers, `noise` [Lmoe, B*T, E].
 */
export const decodeBatch = (
  config: ModelConfig,
  batch: number,
  time: number,
  { inspected = false }: DecodeOptions = {},
): BatchSpecs => ({
  tokens: { shape: [batch, time], dtype: "int32" },
  positions: { shape: [batch], dtype: "int32" },
  lengths: { shape: [batch], dtype: "int32" },
  ...(drawsExperts(config) ? { noise: { shape: noiseShape(config, batch * time), dtype: "float32" as const } } : {}),
  ...(inspected ? maskSpec(config) : {}),
});

/** The numbers 0 to n - 1 int32, in a shape for broadcasting. */
const counting = (n: number, shape: number[]): Tensor => reshape(range(0, n, 1, "int32"), shape);

/**
 * One step of generation with a key-value cache. Feeds T tokens per row: T = 1 to decode, more to process a prompt.
 * Result: `logits` [B, V], the next-token logits after each row's last real token.
 *
 * State: parameters (read only) and `cacheShapes`. Batch: `decodeBatch`. A token at position p sees positions 0 to p,
 * so cache entries of padding are never seen and are overwritten by the tokens that follow. Tokens at position C or
 * beyond are not stored; the caller must keep prompt and answer within C.
 */
export function decode(config: ModelConfig, { inspected = false }: DecodeOptions = {}): Program {
  return program("decode", (state, batch) => {
    const tokens = named(batch, "tokens");
    const [rows, time] = tokens.shape as [number, number];
    const places = named(state, keyCacheName(0)).shape[2]!;
    const length = places - 1;
    const group = config.heads / config.kvHeads;

    const positions = add(expandDims(named(batch, "positions"), 1), counting(time, [1, time]));
    const stored = minimum(positions, scalar(length, "int32"));
    const queryTime = floorDiv(counting(time * group, [time * group]), scalar(group, "int32"));
    const queryPosition = add(reshape(named(batch, "positions"), [rows, 1, 1, 1]), reshape(queryTime, [1, 1, -1, 1]));
    const keyPosition = counting(places, [1, 1, 1, places]);
    const maskOf = (window?: number) => mul(cast(unseen(keyPosition, queryPosition, window), "float32"), MASKED);
    const everything = maskOf();
    const { window, softCap } = config;
    const near = window && window.size < length ? maskOf(window.size) : everything;
    const capped = (scores: Tensor) =>
      softCap?.attention === undefined ? scores : softCapped(scores, softCap.attention);

    const caches: Tensors = {};
    const pass: Pass = {
      positions: { ids: minimum(positions, scalar(length - 1, "int32")), length },
      routing: routingInputs(batch, ones([rows * time, 1]), "generation"),
      core: (layer) => (q, k, v) => {
        const keys = placeRows(named(state, keyCacheName(layer)), k, stored);
        const values = placeRows(named(state, valueCacheName(layer)), v, stored);
        caches[keyCacheName(layer)] = keys;
        caches[valueCacheName(layer)] = values;
        const mask = window?.layers.includes(layer) ? near : everything;
        return matMul(maskedSoftmax(capped(matMul(q, keys, false, true)), mask), values);
      },
    };
    const { hidden, routings } = decoder(state, tokens, pass, config);
    const logits = head(state, lastReal(hidden, named(batch, "lengths"), time), config);
    return { state: caches, results: { logits, ...(inspected ? routingResults(routings) : {}) } };
  });
}

/** Selects the hidden state of each sequence's last real token: hidden [B*T, D], lengths [B] -> [B, D]. */
function lastReal(hidden: Tensor, lengths: Tensor, time: number): Tensor {
  if (time === 1) return hidden;
  const rows = lengths.shape[0]!;
  const width = hidden.shape[1]!;
  const last = equal(counting(time, [1, time]), expandDims(sub(lengths, scalar(1, "int32")), 1));
  const picked = matMul(reshape(cast(last, "float32"), [rows, 1, time]), reshape(hidden, [rows, time, width]));
  return reshape(picked, [rows, width]);
}
