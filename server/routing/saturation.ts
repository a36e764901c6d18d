import type { RoutingProbeIndex } from "../protocol/routingFiles.ts";
import { partOf, type RecordFile } from "./records.ts";

/**
 * Router saturation, OLMoE (arXiv 2409.02060) §5.1: of the experts that tokens choose now, the share that they chose
 * before.
 */

/** The experts of a layer's tokens, [tokens, slots] flat, -1 for none; only a token's first `k` count. */
export interface TokenExperts {
  experts: ArrayLike<number>;
  /** Index of the first token's experts. */
  start: number;
  slots: number;
}

/** The experts of the same tokens in one layer and domain, before and now. */
export interface ComparedTokens {
  /** Indices of the layer and of the domain. */
  layer: number;
  domain: number;
  tokens: number;
  /** Maximum number of experts of a token that count. */
  k: number;
  before: TokenExperts;
  now: TokenExperts;
}

/** Experts of a token that count. */
function ofToken({ experts, start, slots }: TokenExperts, token: number, k: number): number[] {
  const found: number[] = [];
  for (let slot = 0; slot < k; slot++) {
    const expert = experts[start + token * slots + slot] ?? -1;
    if (expert >= 0) found.push(expert);
  }
  return found;
}

/** By layer and domain, all domains together last: [layers, domains + 1]; NaN for a domain without tokens. */
export function saturation(compared: Iterable<ComparedTokens>, layers: number, domains: number): Float64Array {
  const rows = domains + 1;
  const [kept, all] = [new Float64Array(layers * rows), new Float64Array(layers * rows)];
  for (const { layer, domain, tokens, k, before, now } of compared)
    for (let token = 0; token < tokens; token++) {
      const [earlier, last] = [ofToken(before, token, k), ofToken(now, token, k)];
      const same = last.filter((expert) => earlier.includes(expert)).length;
      for (const row of [layer * rows + domain, layer * rows + domains]) {
        kept[row]! += same;
        all[row]! += last.length;
      }
    }
  return kept.map((count, row) => count / all[row]!);
}

/** Saturation of probes against the last one, [probes, layers, domains + 1]. @param records of `routing-probe.f32`. */
export function probeSaturation(
  records: readonly ArrayLike<number>[],
  { index: { layers, domains, tokens, k }, layout }: Pick<RecordFile<RoutingProbeIndex>, "index" | "layout">,
): Float32Array<ArrayBuffer> {
  const rows = layers.length * (domains.length + 1);
  const values = new Float32Array(records.length * rows);
  const last = records.at(-1) ?? [];
  function* compared(record: ArrayLike<number>): Generator<ComparedTokens> {
    for (const [domain, block] of layout.blocks.entries())
      for (const layer of layers.keys()) {
        const { start } = partOf(block, layer);
        const of = (experts: ArrayLike<number>): TokenExperts => ({ experts, start, slots: k });
        yield { layer, domain, tokens: tokens[domain] ?? 0, k, before: of(record), now: of(last) };
      }
  }
  for (const [probe, record] of records.entries())
    values.set(saturation(compared(record), layers.length, domains.length), probe * rows);
  return values;
}
