import {
  type CellMeasure,
  cellMeasures,
  type LayerMeasure,
  type LayerRow,
  layerMeasureNames,
  layerMeasures,
  type PairMeasure,
} from "../protocol/measures.ts";
import { histogramBins } from "../protocol/routingStatistics.ts";
import type { StatisticValues } from "./records.ts";

/** The arithmetic of the measures of routing; protocol/measures.ts has their formulas. */

/** Statistics of a model's tokens, over L Mixture-of-Experts layers, D domains and E experts. */
export interface RoutingCounts {
  /** [L, D, E] */
  shape: [layers: number, domains: number, experts: number];
  statistics: StatisticValues;
  /** Maximum number of experts per token in each layer [L]. */
  k: readonly number[];
}

/** Choices that the tokens of each domain made in each layer [L, D], including those of dropped tokens. */
function choicesOf({ shape: [L, D, E], statistics: { routedTokens = [], droppedTokens = [] } }: RoutingCounts) {
  return Float64Array.from({ length: L * D }, (_, row) => {
    let choices = 0;
    for (let at = row * E; at < (row + 1) * E; at++) choices += (routedTokens[at] ?? 0) + (droppedTokens[at] ?? 0);
    return choices;
  });
}

/** N_D: tokens of each domain in each layer [L, D]. Old recordings lack them; in those every token made K choices. */
function tokensOf(counts: RoutingCounts): ArrayLike<number> {
  const { shape, statistics, k } = counts;
  return statistics.tokens ?? choicesOf(counts).map((choices, row) => choices / (k[Math.floor(row / shape[1])] ?? 1));
}

/** Mean number of experts that a token of each domain went to in each layer [L, D]; 0 without tokens. */
export function meanExperts(counts: RoutingCounts): Float64Array {
  const { droppedTokens: _, ...statistics } = counts.statistics;
  const tokens = tokensOf(counts);
  return choicesOf({ ...counts, statistics }).map((experts, row) => (tokens[row] ? experts / tokens[row] : 0));
}

/** A measure by domain, then over all domains together: [D + 1, L, E]; 0 for a domain without tokens. */
export function cells(counts: RoutingCounts, measure: CellMeasure): Float32Array<ArrayBuffer> {
  const [L, D, E] = counts.shape;
  const { of, over } = cellMeasures[measure];
  const values = new Float32Array((D + 1) * L * E);
  const above = counts.statistics[of];
  if (!above) return values;
  /** Index of the first value of a domain and layer. */
  const row = (domain: number, layer: number) => (domain * L + layer) * E;
  if (!over) {
    for (let domain = 0; domain <= D; domain++)
      for (let layer = 0; layer < L; layer++)
        for (let expert = 0; expert < E; expert++)
          values[row(domain, layer) + expert] = above[(layer * (D + 1) + domain) * E + expert] ?? 0;
    return values;
  }
  const below = over === "tokens" ? tokensOf(counts) : choicesOf(counts);
  for (let layer = 0; layer < L; layer++) {
    const sums = new Float64Array(E);
    let all = 0;
    for (let domain = 0; domain < D; domain++) {
      const own = below[layer * D + domain] ?? 0;
      all += own;
      for (let expert = 0; expert < E; expert++) {
        const value = above[(layer * D + domain) * E + expert] ?? 0;
        sums[expert]! += value;
        if (own > 0) values[row(domain, layer) + expert] = value / own;
      }
    }
    if (all > 0) for (const [expert, sum] of sums.entries()) values[row(D, layer) + expert] = sum / all;
  }
  return values;
}

/**
 * Measures of how a layer's load is spread, from the tokens that chose each expert [E] and their mean, which is not 0.
 */
const spreads: Partial<Record<LayerMeasure, (loads: readonly number[], mean: number) => number>> = {
  imbalance: (loads, mean) => Math.max(...loads) / mean,
  variation: (loads, mean) =>
    Math.sqrt(loads.reduce((total, load) => total + (load - mean) ** 2, 0) / loads.length) / mean,
};

/** The layers' measures for each domain, then for all domains together [D + 1]; 0 for a domain without tokens. */
export function layerRows(counts: RoutingCounts): LayerRow[] {
  const [L, D, E] = counts.shape;
  const tokens = tokensOf(counts);
  const { routedTokens = [], droppedTokens = [] } = counts.statistics;
  return Array.from({ length: D + 1 }, (_, row) => {
    const domains = row < D ? [row] : Array.from({ length: D }, (__, domain) => domain);
    const sum = (layer: number, value: (at: number) => number) =>
      domains.reduce((total, domain) => total + value(layer * D + domain), 0);
    const mean = (statistic: ArrayLike<number>, layer: number) =>
      sum(layer, (at) => statistic[at] ?? 0) / (sum(layer, (at) => tokens[at] ?? 0) || 1);
    const loads = (layer: number) =>
      Array.from({ length: E }, (__, expert) =>
        sum(layer, (at) => (routedTokens[at * E + expert] ?? 0) + (droppedTokens[at * E + expert] ?? 0)),
      );
    const spread = (layer: number, of: (loads: readonly number[], mean: number) => number) => {
      const all = loads(layer);
      const average = all.reduce((total, load) => total + load, 0) / E;
      return average > 0 ? of(all, average) : 0;
    };
    const entries = layerMeasureNames.flatMap((name) => {
      const { of } = layerMeasures[name];
      const [statistic, spreadOf] = [of && counts.statistics[of], spreads[name]];
      const measure = spreadOf
        ? (layer: number) => spread(layer, spreadOf)
        : statistic && ((layer: number) => mean(statistic, layer));
      return measure ? [[name, Array.from({ length: L }, (__, layer) => measure(layer))] as const] : [];
    });
    return Object.fromEntries(entries);
  });
}

/**
 * Pairs of experts as shares, from counts [R, E, E]; 0 for an expert without tokens.
 * - coActivation: of the tokens that chose expert a (the diagonal), the share that also chose b; 1 on the diagonal.
 * - transitions: of the choices in the next layer after a choice of a, the share that are b; rows sum to 1.
 */
export function pairShares(counts: ArrayLike<number>, what: PairMeasure, experts: number): Float32Array<ArrayBuffer> {
  const shares = new Float32Array(counts.length);
  for (let start = 0; start < counts.length; start += experts) {
    const row = (start / experts) % experts;
    let below = 0;
    if (what === "coActivation") below = counts[start + row]!;
    else for (let at = start; at < start + experts; at++) below += counts[at]!;
    if (below > 0) for (let at = start; at < start + experts; at++) shares[at] = counts[at]! / below;
  }
  return shares;
}

/** Histograms as shares of the tokens, from counts [R, bins]; 0 without tokens. */
export function binShares(counts: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const shares = Float32Array.from(counts);
  for (let start = 0; start < shares.length; start += histogramBins) {
    const bins = shares.subarray(start, start + histogramBins);
    const tokens = bins.reduce((sum, count) => sum + count, 0);
    if (tokens > 0) bins.set(bins.map((count) => count / tokens));
  }
  return shares;
}
