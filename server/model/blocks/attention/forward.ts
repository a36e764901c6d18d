import { reshape, type Tensor, transpose } from "@tensorflow/tfjs-core";
import type { Arithmetic } from "../../../ops/arithmetic.ts";
import type { Tensors } from "../../../ops/program.ts";
import { rotary } from "../../../ops/rotary.ts";
import { attentionPrefix } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { linear } from "../linear.ts";
import type { RotaryTables } from "./rotaryTables.ts";

/** Attention without its projections: q [B, Hkv, T*G, d], k and v [B, Hkv, T, d] -> [B, Hkv, T*G, d]. */
export type AttentionCore = (q: Tensor, k: Tensor, v: Tensor) => Tensor;

/**
 * Grouped-query self-attention of one layer: x [N, D] -> [N, D]. Ainslie et al., arXiv 2305.13245.
 *
 * G = heads / kvHeads query heads share one key head. They become rows t*G + g of one matrix, so no key or value is
 * repeated. `core` decides which keys a query sees: through the training mask or a cache.
 */
export function attention(
  params: Tensors,
  layer: number,
  x: Tensor,
  tables: RotaryTables,
  core: AttentionCore,
  arithmetic: Arithmetic,
  config: ModelConfig,
): Tensor {
  const { heads, kvHeads, headSize } = config;
  const group = heads / kvHeads;
  const time = tables.key.cos.shape[1]!;
  const batch = x.shape[0]! / time;
  const prefix = attentionPrefix(layer);

  const through = (name: string, y: Tensor) => linear(params, `${prefix}.${name}`, y, arithmetic);
  const inTime = (name: string, width: number) => reshape(through(name, x), [batch, time, width]);
  /** [B, T, Hkv*W] -> [B, Hkv, T, W]. */
  const byHead = (y: Tensor, width: number) => transpose(reshape(y, [batch, time, kvHeads, width]), [0, 2, 1, 3]);

  const q = rotary(inTime("q_proj", heads * headSize), tables.query.cos, tables.query.sin, heads);
  const k = rotary(inTime("k_proj", kvHeads * headSize), tables.key.cos, tables.key.sin, kvHeads);
  const v = inTime("v_proj", kvHeads * headSize);

  const rows = reshape(byHead(q, group * headSize), [batch, kvHeads, time * group, headSize]);
  const out = core(rows, byHead(k, headSize), byHead(v, headSize));
  const byTime = transpose(reshape(out, [batch, kvHeads, time, group * headSize]), [0, 2, 1, 3]);
  return through("o_proj", reshape(byTime, [batch * time, heads * headSize]));
}
