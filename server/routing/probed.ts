import { allDomains } from "../protocol/routing.ts";
import { probeDetailSize, probeHistogramSize, probeVocabularySize } from "../protocol/routingFiles.ts";
import { histogramBins } from "../protocol/routingStatistics.ts";
import type { RoutingCounts } from "./measures.ts";
import { readStretches } from "./readRecords.ts";
import { type Recorded, readCounts } from "./recorded.ts";

/** What was measured of held-out tokens while a model was trained, as it lies in `routing-probe-detail.f32`. */

/** Vocabulary specialisation at probes, or of the evaluation (-1); those that are not there are left out. */
export async function readProbed(
  recorded: Recorded,
  probes: readonly number[],
): Promise<{ snapshot: number; counts: RoutingCounts }[]> {
  const { probeDetail: index, paths, k } = recorded;
  const found = await readCounts(
    recorded,
    probes.filter((probe) => probe < 0),
  );
  const trained = probes.filter((probe) => probe >= 0);
  if (!index || trained.length === 0) return found;
  const [start, size] = [probeHistogramSize(index), probeVocabularySize(index)];
  const records = await readStretches(paths.routingProbeDetail, probeDetailSize(index), trained, start, 2 * size);
  const shape: RoutingCounts["shape"] = [index.layers.length, index.domains.length, index.experts.length];
  for (const [at, record] of records.entries()) {
    const vocabulary = { vocabularyInput: record.subarray(0, size), vocabularyPredicted: record.subarray(size) };
    found.push({ snapshot: trained[at]!, counts: { shape, routedTokens: [], gateMass: [], vocabulary, k } });
  }
  return found;
}

/**
 * Tokens by the probability of an expert [E, bins], in the layer at a place, of one domain or the sum of all; undefined where
 * there is no such probe.
 */
export async function probedHistogram(
  { probeDetail: index, paths }: Pick<Recorded, "probeDetail" | "paths">,
  { probe, layer, domain }: { probe: number; layer: number; domain: number },
): Promise<Float32Array<ArrayBuffer> | undefined> {
  if (!index || domain >= index.domains.length) return undefined;
  const size = index.experts.length * histogramBins;
  const counts = new Float32Array(size);
  for (const one of domain === allDomains ? index.domains.keys() : [domain]) {
    // histogram [D, L, E, bins]: of one domain and layer, [E, bins].
    const start = (one * index.layers.length + layer) * size;
    const [values] = await readStretches(paths.routingProbeDetail, probeDetailSize(index), [probe], start, size);
    if (!values) return undefined;
    for (const [at, count] of values.entries()) counts[at]! += count;
  }
  return counts;
}
