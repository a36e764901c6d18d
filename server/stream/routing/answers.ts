import { UserError } from "../../protocol/errors.ts";
import { encodeFrame, type RoutingHeader } from "../../protocol/frame.ts";
import { cellMeasures, type PairMeasure } from "../../protocol/measures.ts";
import { allDomains, heldOut } from "../../protocol/routing.ts";
import { histogramBins } from "../../protocol/routingStatistics.ts";
import type { HubMessage, PageMessage } from "../../protocol/stream.ts";
import { binShares, cells, layerRows, pairShares } from "../../routing/measures.ts";
import { type RecordedRouting, readCounts, readProbedStatistic } from "../../routing/recorded.ts";
import { blockOf, partOf, type RecordRange, readRanges, recordCount } from "../../routing/records.ts";
import { probeSaturation } from "../../routing/saturation.ts";

/** Answers to a page's questions about the routing of one model. */

type Asked<T extends PageMessage["type"]> = Omit<Extract<PageMessage, { type: T }>, "model">;

const frame = (header: RoutingHeader, values: Float32Array<ArrayBuffer>): ArrayBuffer =>
  encodeFrame(header, [new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]);

/** The last optimizer step that a snapshot covers; the last snapshot may cover fewer steps. */
const lastStep = ({ model: { every, steps } }: RecordedRouting, snapshot: number): number =>
  snapshot === heldOut ? steps : Math.min((snapshot + 1) * every, steps || Number.POSITIVE_INFINITY);

/** Optimizer steps before a probe; the last probe may follow the previous one sooner. */
const probeStep = ({ model: { probed, steps } }: RecordedRouting, probe: number): number =>
  probe === heldOut || !probed ? steps : Math.min(probe * probed.every, steps || Number.POSITIVE_INFINITY);

/** A frame for each snapshot or probe. */
export async function routingFrames(
  recorded: RecordedRouting,
  { id, snapshots, measure }: Asked<"routing">,
): Promise<ArrayBuffer[]> {
  const { root, key, k, experts, probed } = recorded.model;
  const { of, heldOutOnly, uniform } = cellMeasures[measure];
  const ofProbes = probed !== undefined && heldOutOnly;
  const found = await (ofProbes ? readProbedStatistic(recorded, of, snapshots) : readCounts(recorded, snapshots));
  return found.map(({ snapshot, counts }) => {
    const [L, D, E] = counts.shape;
    const step = ofProbes ? probeStep(recorded, snapshot) : lastStep(recorded, snapshot);
    const shape: [number, number, number] = [D + 1, L, E];
    return frame(
      { kind: "routing", id, root, key, snapshot, step, measure, shape, uniform: uniform(experts.length, k) },
      cells(counts, measure),
    );
  });
}

/** @throws UserError when there is no such snapshot. */
export async function layersMessage(
  recorded: RecordedRouting,
  { id, snapshot }: Asked<"routingLayers">,
): Promise<HubMessage> {
  const [read] = await readCounts(recorded, [snapshot]);
  if (!read) throw new UserError(`${recorded.model.name} has recorded no such snapshot of its routing`);
  return { type: "routingLayers", id, snapshot, rows: layerRows(read.counts) };
}

function sumOf(all: readonly Float32Array[], length: number): Float32Array<ArrayBuffer> {
  const sums = new Float32Array(length);
  for (const values of all) for (const [at, value] of values.entries()) sums[at]! += value;
  return sums;
}

/** A range of the records of held-out text, for one domain or summed over all; undefined if nothing was recorded. */
async function detailCounts(
  { detail, model }: RecordedRouting,
  domain: number,
  rangeOf: (file: NonNullable<RecordedRouting["detail"]>) => RecordRange | undefined,
): Promise<Float32Array<ArrayBuffer> | undefined> {
  const range = detail && rangeOf(detail);
  if (!range) return undefined;
  const { domains } = detail.index;
  const wanted =
    domain === allDomains
      ? [...domains.keys()]
      : [domains.indexOf(model.domains[domain]?.name ?? "")].filter((record) => record >= 0);
  return sumOf(await readRanges(detail, wanted, range), range.length);
}

/** Counts of pairs: [L, E, E], or [L - 1, E, E] of transitions. */
async function pairCounts(
  recorded: RecordedRouting,
  what: PairMeasure,
  snapshot: number,
  domain: number,
): Promise<{ counts: Float32Array<ArrayBuffer>; step: number } | undefined> {
  const { training, pairs, model } = recorded;
  if (snapshot === heldOut) {
    const counts = await detailCounts(recorded, domain, ({ layout }) => blockOf(layout, what));
    return counts && { counts, step: model.steps };
  }
  const block = pairs && blockOf(pairs.layout, what);
  if (!training || !block) return undefined;
  const { every } = pairs.index;
  const step = Math.min((snapshot + 1) * training.index.every, model.steps || Number.POSITIVE_INFINITY);
  const last = Math.min(Math.ceil(step / every), await recordCount(pairs)) - 1;
  const whole = step < model.steps ? Math.min(last, Math.floor(step / every) - 1) : last;
  if (whole < 0) return undefined;
  const [counts] = await readRanges(pairs, [whole], block);
  return counts && { counts, step: Math.min((whole + 1) * every, step) };
}

/** @throws UserError where no pairs were recorded. */
export async function pairsFrame(
  recorded: RecordedRouting,
  { id, what, snapshot, domain }: Asked<"routingPairs">,
): Promise<ArrayBuffer> {
  const read = await pairCounts(recorded, what, snapshot, domain);
  if (!read) throw new UserError(`${recorded.model.name} has recorded no pairs of experts there`);
  const E = recorded.model.experts.length;
  const rows = read.counts.length / (E * E);
  return frame({ kind: "pairs", id, what, step: read.step, shape: [rows, E, E] }, pairShares(read.counts, what, E));
}

/** Routed shares of one layer over training. */
export async function loadFrame(
  { training, model }: RecordedRouting,
  { id, layer, domain, columns }: Asked<"routingLoad">,
): Promise<ArrayBuffer> {
  const E = model.experts.length;
  const block = training && blockOf(training.layout, "routedTokens");
  if (!block || layer >= model.layers.length)
    throw new UserError(`${model.name} has recorded no routing of layer ${model.layers[layer] ?? layer}`);
  const count = await recordCount(training);
  const points = Math.min(columns, count);
  const all = Array.from({ length: count }, (_, at) => at);
  const range = domain === allDomains ? partOf(block, layer) : partOf(block, layer, domain);
  const records = await readRanges(training, all, range);
  const values = new Float32Array(points * E);
  const steps: number[] = [];
  for (let point = 0; point < points; point++) {
    const [from, to] = [Math.floor((point * count) / points), Math.floor(((point + 1) * count) / points)];
    const load = new Float64Array(E);
    for (const record of records.slice(from, to))
      for (const [place, tokens] of record.entries()) load[place % E]! += tokens;
    const sum = load.reduce((total, tokens) => total + tokens, 0);
    if (sum > 0)
      values.set(
        load.map((tokens) => tokens / sum),
        point * E,
      );
    steps.push(Math.min(to * training.index.every, model.steps || Number.POSITIVE_INFINITY));
  }
  return frame({ kind: "load", id, layer, domain, steps, shape: [points, E] }, values);
}

/**
 * Tokens by the probability of an expert [E, bins] at a probe, of one domain or the sum of all; undefined without one.
 */
async function probedHistogram(
  { probeDetail }: RecordedRouting,
  { probe, layer, domain }: Pick<Asked<"routingHistogram">, "probe" | "layer" | "domain">,
): Promise<Float32Array<ArrayBuffer> | undefined> {
  const block = probeDetail && blockOf(probeDetail.layout, "histogram");
  const { domains, experts } = probeDetail?.index ?? { domains: [], experts: [] };
  if (!block || domain >= domains.length) return undefined;
  const histograms: Float32Array[] = [];
  for (const one of domain === allDomains ? domains.keys() : [domain]) {
    const [values] = await readRanges(probeDetail, [probe], partOf(block, one, layer));
    if (!values) return undefined;
    histograms.push(values);
  }
  return sumOf(histograms, experts.length * histogramBins);
}

/** @throws UserError where no histograms were recorded. */
export async function histogramFrame(
  recorded: RecordedRouting,
  { id, probe, layer, domain }: Asked<"routingHistogram">,
): Promise<ArrayBuffer> {
  const { model } = recorded;
  const ofEvaluation = () =>
    detailCounts(recorded, domain, ({ layout }) => {
      const block = blockOf(layout, "histogram");
      return block && partOf(block, layer);
    });
  const counts =
    layer < model.layers.length &&
    (probe === heldOut ? await ofEvaluation() : await probedHistogram(recorded, { probe, layer, domain }));
  if (!counts) throw new UserError(`${model.name} has no histograms of layer ${model.layers[layer] ?? layer}`);
  const shape: [number, number] = [model.experts.length, histogramBins];
  return frame({ kind: "histogram", id, probe, layer, domain, shape }, binShares(counts));
}

/** @throws UserError where nothing was probed. */
export async function saturationFrame(
  { probe, model }: RecordedRouting,
  { id }: Asked<"routingSaturation">,
): Promise<ArrayBuffer> {
  if (!probe) throw new UserError(`${model.name} has not probed its routing while it was trained`);
  const { layers, domains, every } = probe.index;
  const records = await readRanges(probe, [...Array(await recordCount(probe)).keys()]);
  const steps = records.map((_, at) => Math.min(at * every, model.steps || Number.POSITIVE_INFINITY));
  const shape: [number, number, number] = [records.length, layers.length, domains.length + 1];
  return frame({ kind: "saturation", id, steps, shape }, probeSaturation(records, probe));
}
