import type { CellMeasure } from "../protocol/measures.ts";
import type { LayerRow, PairMeasure } from "../protocol/routing.ts";
import type { RoutingProbeIndex } from "../protocol/routingFiles.ts";
import { histogramBins } from "../protocol/routingStatistics.ts";

/** The measures of routing, worked out from what was counted. Their formulas: protocol/measures.ts. */

/** What was counted of a model's tokens, over D domains, L Mixture-of-Experts layers and E experts. */
export interface RoutingCounts {
  /** [L, D, E] */
  shape: [layers: number, domains: number, experts: number];
  /** [L, D, E] tokens that an expert was among the K chosen for. */
  routedTokens: ArrayLike<number>;
  /** [L, D, E] sums of gates. */
  gateMass: ArrayLike<number>;
  /** [L, D, E] sums of the routers' softmax. */
  probability?: ArrayLike<number>;
  /** [L, D, E] tokens that chose an expert that was full. */
  droppedTokens?: ArrayLike<number>;
  /** [L, D] sums over tokens of the entropy of that softmax, nats. */
  entropy?: ArrayLike<number>;
  /** [L, D + 1, E] vocabulary specialisation, of all domains last; not counts. */
  vocabulary?: Record<VocabularyMeasure, ArrayLike<number>>;
  /** Experts a token in each layer [L]. */
  k: readonly number[];
}

type VocabularyMeasure = "vocabularyInput" | "vocabularyPredicted";
const ofVocabulary = (measure: CellMeasure): measure is VocabularyMeasure => measure.startsWith("vocabulary");

/** What of the counts a measure divides; undefined where it was not counted. */
function numerator(
  counts: RoutingCounts,
  measure: Exclude<CellMeasure, VocabularyMeasure>,
): ArrayLike<number> | undefined {
  switch (measure) {
    case "routedShare":
    case "domainSpecialisation":
      return counts.routedTokens;
    case "gateMass":
      return counts.gateMass;
    case "probability":
      return counts.probability;
    case "droppedShare":
      return counts.droppedTokens;
  }
}

/** A measure divides by tokens, or by their K choices. */
const byChoice = new Set<CellMeasure>(["routedShare", "droppedShare"]);

/** The measures that can be worked out. */
export const measured = (counts: RoutingCounts, all: readonly CellMeasure[]): CellMeasure[] =>
  all.filter((measure) => (ofVocabulary(measure) ? counts.vocabulary : numerator(counts, measure)) !== undefined);

/** N_D: tokens of each domain in each layer [L, D], every token having made K choices, of which some were dropped. */
function tokensOf({ shape: [L, D, E], routedTokens, droppedTokens, k }: RoutingCounts): Float64Array {
  const tokens = new Float64Array(L * D);
  for (let row = 0; row < L * D; row++) {
    let choices = 0;
    for (let at = row * E; at < (row + 1) * E; at++) choices += routedTokens[at]! + (droppedTokens?.[at] ?? 0);
    tokens[row] = choices / k[Math.floor(row / D)]!;
  }
  return tokens;
}

/** A measure by domain, and over all domains together at the end: [D + 1, L, E]; 0 where a domain had no tokens. */
export function cells(counts: RoutingCounts, measure: CellMeasure): Float32Array<ArrayBuffer> {
  const [L, D, E] = counts.shape;
  const values = new Float32Array((D + 1) * L * E);
  if (ofVocabulary(measure)) {
    for (let at = 0; at < values.length; at++) {
      const [domain, layer] = [Math.floor(at / (L * E)), Math.floor(at / E) % L];
      values[at] = counts.vocabulary?.[measure][(layer * (D + 1) + domain) * E + (at % E)] ?? 0;
    }
    return values;
  }
  const above = numerator(counts, measure);
  if (!above) return values;
  const tokens = tokensOf(counts);
  for (let layer = 0; layer < L; layer++) {
    const choices = byChoice.has(measure) ? counts.k[layer]! : 1;
    let all = 0;
    for (let domain = 0; domain < D; domain++) all += tokens[layer * D + domain]!;
    for (let expert = 0; expert < E; expert++) {
      let sum = 0;
      for (let domain = 0; domain < D; domain++) {
        const value = above[(layer * D + domain) * E + expert]!;
        sum += value;
        const below = tokens[layer * D + domain]! * choices;
        if (below > 0) values[(domain * L + layer) * E + expert] = value / below;
      }
      if (all > 0) values[(D * L + layer) * E + expert] = sum / (all * choices);
    }
  }
  return values;
}

/** Of each domain, and of all together at the end [D + 1]. Where a domain had no tokens: 0. */
export function layerMeasures(counts: RoutingCounts): LayerRow[] {
  const [L, D, E] = counts.shape;
  const tokens = tokensOf(counts);
  const { routedTokens, droppedTokens, entropy } = counts;
  return Array.from({ length: D + 1 }, (_, row) => {
    const domains = row < D ? [row] : Array.from({ length: D }, (__, domain) => domain);
    const ofLayers = (measure: (layer: number) => number) => Array.from({ length: L }, (__, layer) => measure(layer));
    const sum = (values: ArrayLike<number>, layer: number) =>
      domains.reduce((total, domain) => total + values[layer * D + domain]!, 0);
    const loads = (layer: number) =>
      Array.from({ length: E }, (__, expert) =>
        domains.reduce((total, domain) => {
          const at = (layer * D + domain) * E + expert;
          return total + routedTokens[at]! + (droppedTokens?.[at] ?? 0);
        }, 0),
      );
    const perMean = (layer: number, of: (loads: number[], mean: number) => number) => {
      const all = loads(layer);
      const mean = all.reduce((total, load) => total + load, 0) / E;
      return mean > 0 ? of(all, mean) / mean : 0;
    };
    return {
      ...(entropy ? { entropy: ofLayers((layer) => sum(entropy, layer) / (sum(tokens, layer) || 1)) } : {}),
      imbalance: ofLayers((layer) => perMean(layer, (all) => Math.max(...all))),
      variation: ofLayers((layer) =>
        perMean(layer, (all, mean) => Math.sqrt(all.reduce((total, load) => total + (load - mean) ** 2, 0) / E)),
      ),
    };
  });
}

/**
 * Pairs of experts as shares, of counts [R, E, E]; 0 for an expert without tokens.
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

/** Histograms as shares of the tokens: counts [R, bins]; 0 where there were no tokens. */
export function binShares(counts: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const shares = Float32Array.from(counts);
  for (let start = 0; start < shares.length; start += histogramBins) {
    const bins = shares.subarray(start, start + histogramBins);
    const tokens = bins.reduce((sum, count) => sum + count, 0);
    if (tokens > 0) bins.set(bins.map((count) => count / tokens));
  }
  return shares;
}

/**
 * Router saturation (OLMoE §5.1) of probes against the last one, of each domain and of all at the end [probes, L, D + 1]; NaN
 * of a domain without tokens.
 *
 * @param records as `routingProbeIndexSchema` has them.
 */
export function saturationOf(
  records: readonly ArrayLike<number>[],
  { layers, tokens, k }: Pick<RoutingProbeIndex, "layers" | "tokens" | "k">,
): Float32Array<ArrayBuffer> {
  const [L, rows] = [layers.length, tokens.length + 1];
  const values = new Float32Array(records.length * L * rows);
  const last = records.at(-1);
  for (const [at, record] of records.entries()) {
    const [same, all] = [new Float64Array(L * rows), new Float64Array(L * rows)];
    let place = 0;
    for (const [domain, count] of tokens.entries())
      for (let layer = 0; layer < L; layer++)
        for (let token = 0; token < count; token++, place += k) {
          const [now, end] = [record, last!].map((one) =>
            Array.from({ length: k }, (_, slot) => one[place + slot]!).filter((expert) => expert >= 0),
          );
          const kept = now!.filter((expert) => end!.includes(expert)).length;
          for (const row of [layer * rows + domain, layer * rows + rows - 1]) {
            same[row]! += kept;
            all[row]! += end!.length;
          }
        }
    values.set(
      same.map((kept, row) => kept / all[row]!),
      at * L * rows,
    );
  }
  return values;
}
