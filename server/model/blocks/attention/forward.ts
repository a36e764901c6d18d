import { concat, mul, reshape, split, type Tensor, transpose } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../../../ops/arithmetic.ts";
import type { Tensors } from "../../../ops/program.ts";
import { rotary } from "../../../ops/rotary.ts";
import { attentionPrefix, keyNormName, queryNormName } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { linear } from "../linear.ts";
import { norm } from "../norm/forward.ts";
import { rotatedWidth } from "./frequencies.ts";
import { attentionScale, type RotaryTables } from "./rotaryTables.ts";

/** Attention without its projections: q [B, Hkv, T*G, d], k and v [B, Hkv, T, d] -> [B, Hkv, T*G, d]. */
export type AttentionCore = (q: Tensor, k: Tensor, v: Tensor) => Tensor;

/** What attention needs besides its input. */
export interface AttentionPass {
  /** Tokens in a sequence (T). */
  time: number;
  /** Absent: nothing is rotated. */
  tables: RotaryTables | undefined;
  /** Decides which keys a query sees: through the training mask or a cache. */
  core: AttentionCore;
  arithmetic: Arithmetic;
}

/**
 * Grouped-query self-attention of one layer: x [N, D] -> [N, D]. Ainslie et al., arXiv 2305.13245.
 *
 * G = heads / kvHeads query heads share one key head. They become rows t*G + g of one matrix, so no key or value is
 * repeated.
 */
export function attention(
  params: Tensors,
  layer: number,
  x: Tensor,
  { time, tables, core, arithmetic }: AttentionPass,
  config: ModelConfig,
): Tensor {
  const { heads, kvHeads, headSize } = config;
  const group = heads / kvHeads;
  const batch = x.shape[0]! / time;
  const prefix = attentionPrefix(layer);

  const through = (name: string, y: Tensor) => linear(params, `${prefix}.${name}`, y, arithmetic);
  /** [N, count*d] -> [B, T, count*d]. */
  const inTime = (y: Tensor, count: number) => reshape(y, [batch, time, count * headSize]);
  /** [B, T, Hkv*W] -> [B, Hkv, T, W]. */
  const byHead = (y: Tensor, width: number) => transpose(reshape(y, [batch, time, kvHeads, width]), [0, 2, 1, 3]);
  const normed = (y: Tensor, name: string) => queryKeyNorm(params, name, y, config);

  const scale = attentionScale(config);
  const query = inTime(normed(through("q_proj", x), queryNormName(layer)), heads);
  const q = tables ? rotated(query, tables.query, heads, scale, config) : mul(query, scale);
  const key = inTime(normed(through("k_proj", x), keyNormName(layer)), kvHeads);
  const k = tables ? rotated(key, tables.key, kvHeads, 1, config) : key;
  const v = inTime(through("v_proj", x), kvHeads);

  const rows = reshape(byHead(q, group * headSize), [batch, kvHeads, time * group, headSize]);
  const out = core(rows, byHead(k, headSize), byHead(v, headSize));
  const byTime = transpose(reshape(out, [batch, kvHeads, time, group * headSize]), [0, 2, 1, 3]);
  return through("o_proj", reshape(byTime, [batch * time, heads * headSize]));
}

/** Norms queries or keys [N, count*d], each head by itself or all together, if the model does. */
function queryKeyNorm(params: Tensors, name: string, x: Tensor, config: ModelConfig): Tensor {
  const { qkNorm, headSize } = config;
  if (!qkNorm) return x;
  if (qkNorm === "whole") return norm(params, name, x, config);
  // [N, count*d] -> [N*count, d] -> [N, count*d]
  return reshape(norm(params, name, reshape(x, [x.size / headSize, headSize]), config), x.shape);
}

/** Rotates the first part of each head of x [B, T, count*d]; the rest is multiplied by `scale`, as the tables are. */
function rotated(
  x: Tensor,
  { cos, sin }: RotaryTables["key"],
  count: number,
  scale: number,
  config: ModelConfig,
): Tensor {
  const width = rotatedWidth(config);
  const rest = config.headSize - width;
  if (rest === 0) return rotary(x, cos, sin, count);
  const [batch, time] = x.shape as [number, number, number];
  const [first, second] = split(reshape(x, [batch, time, count, config.headSize]), [width, rest], 3) as [
    Tensor,
    Tensor,
  ];
  const turned = reshape(rotary(reshape(first, [batch, time, count * width]), cos, sin, count), first.shape);
  return reshape(concat([turned, scale === 1 ? second : mul(second, scale)], 3), x.shape);
}
