import { UserError } from "../../protocol/errors.ts";
import { encodeFrame, type RoutingHeader } from "../../protocol/frame.ts";
import { cellMeasures } from "../../protocol/measures.ts";
import { allDomains, heldOut, type PairMeasure } from "../../protocol/routing.ts";
import { probeSize } from "../../protocol/routingFiles.ts";
import { histogramBins } from "../../protocol/routingStatistics.ts";
import type { HubMessage, PageMessage } from "../../protocol/stream.ts";
import { binShares, cells, layerMeasures, pairShares, saturationOf } from "../../routing/measures.ts";
import { probedHistogram, readProbed } from "../../routing/probed.ts";
import { readStretches, recordCount } from "../../routing/readRecords.ts";
import { detailSize, pairsSize, type Recorded, readCounts, recordSize } from "../../routing/recorded.ts";

/** What a page asks about the routing of one model. */

type Asked<T extends PageMessage["type"]> = Omit<Extract<PageMessage, { type: T }>, "model">;

const frame = (header: RoutingHeader, values: Float32Array<ArrayBuffer>): ArrayBuffer =>
  encodeFrame(header, [new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]);

/** The last optimizer step that a snapshot covers: the last one of training may be short. */
const lastStep = ({ model: { every, steps } }: Recorded, snapshot: number): number =>
  snapshot === heldOut ? steps : Math.min((snapshot + 1) * every, steps || Number.POSITIVE_INFINITY);

/** Optimizer steps that were taken before a probe; the last one of training may be nearer to the one before. */
const probeStep = ({ model: { probed, steps } }: Recorded, probe: number): number =>
  probe === heldOut || !probed ? steps : Math.min(probe * probed.every, steps || Number.POSITIVE_INFINITY);

/** A frame a snapshot, or a probe. */
export async function routingFrames(
  recorded: Recorded,
  { id, snapshots, measure }: Asked<"routing">,
): Promise<ArrayBuffer[]> {
  const { root, key, k, experts, probed } = recorded.model;
  const ofProbes = probed && cellMeasures[measure].heldOutOnly;
  const found = await (ofProbes ? readProbed : readCounts)(recorded, snapshots);
  return found.map(({ snapshot, counts }) => {
    const [L, D, E] = counts.shape;
    const step = ofProbes ? probeStep(recorded, snapshot) : lastStep(recorded, snapshot);
    const uniform = cellMeasures[measure].uniform(experts.length, k);
    return frame(
      { kind: "routing", id, root, key, snapshot, step, measure, shape: [D + 1, L, E], uniform },
      cells(counts, measure),
    );
  });
}

/** @throws UserError when there is no such snapshot. */
export async function layerRows(recorded: Recorded, { id, snapshot }: Asked<"routingLayers">): Promise<HubMessage> {
  const [read] = await readCounts(recorded, [snapshot]);
  if (!read) throw new UserError(`${recorded.model.name} has recorded no such snapshot of its routing`);
  return { type: "routingLayers", id, snapshot, rows: layerMeasures(read.counts) };
}

/** A stretch of the records of held-out text, of one domain or the sum of all; undefined where there are none. */
async function detailCounts(
  { evaluation, model }: Pick<Recorded, "evaluation" | "model">,
  domain: number,
  start: number,
  length: number,
): Promise<Float32Array<ArrayBuffer> | undefined> {
  if (!evaluation?.detail) return undefined;
  const { detail, paths } = evaluation;
  const wanted =
    domain === allDomains
      ? [...detail.domains.keys()]
      : [detail.domains.indexOf(model.domains[domain]?.name ?? "")].filter((at) => at >= 0);
  const records = await readStretches(paths.routingDetail, detailSize(detail), wanted, start, length);
  const counts = new Float32Array(length);
  for (const record of records) for (const [at, value] of record.entries()) counts[at]! += value;
  return counts;
}

/** Counts of pairs: [L, E, E], or [L - 1, E, E] of transitions. */
async function pairCounts(
  { index, pairs, paths, evaluation, model }: Recorded,
  what: PairMeasure,
  snapshot: number,
  domain: number,
): Promise<{ counts: Float32Array<ArrayBuffer>; step: number } | undefined> {
  const E = model.experts.length;
  const [start, rows] =
    what === "coActivation" ? [0, model.layers.length] : [model.layers.length, model.layers.length - 1];
  const stretch = [start * E * E, rows * E * E] as const;
  if (snapshot === heldOut) {
    const counts = await detailCounts({ evaluation, model }, domain, ...stretch);
    return counts && { counts, step: model.steps };
  }
  if (!index || !pairs) return undefined;
  const size = pairsSize(pairs);
  const step = Math.min((snapshot + 1) * index.every, model.steps || Number.POSITIVE_INFINITY);
  const last = Math.min(Math.ceil(step / pairs.every), await recordCount(paths.routingPairs, size)) - 1;
  const whole = step < model.steps ? Math.min(last, Math.floor(step / pairs.every) - 1) : last;
  if (whole < 0) return undefined;
  const [counts] = await readStretches(paths.routingPairs, size, [whole], ...stretch);
  return counts && { counts, step: Math.min((whole + 1) * pairs.every, step) };
}

/** @throws UserError where no pairs were recorded. */
export async function pairsFrame(
  recorded: Recorded,
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
  { index, paths, model }: Recorded,
  { id, layer, domain, columns }: Asked<"routingLoad">,
): Promise<ArrayBuffer> {
  const [D, E] = [model.domains.length, model.experts.length];
  if (!index || layer >= model.layers.length)
    throw new UserError(`${model.name} has recorded no routing of that layer`);
  const size = recordSize(index);
  const count = await recordCount(paths.routing, size);
  const points = Math.min(columns, count);
  const statistic = index.statistics.indexOf("routedTokens");
  const start = ((statistic * model.layers.length + layer) * D + (domain === allDomains ? 0 : domain)) * E;
  const length = domain === allDomains ? D * E : E;
  const all = Array.from({ length: count }, (_, at) => at);
  const records = await readStretches(paths.routing, size, all, start, length);
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
    steps.push(Math.min(to * index.every, model.steps || Number.POSITIVE_INFINITY));
  }
  return frame({ kind: "load", id, layer, domain, steps, shape: [points, E] }, values);
}

/** @throws UserError where no histograms were recorded. */
export async function histogramFrame(
  recorded: Recorded,
  { id, probe, layer, domain }: Asked<"routingHistogram">,
): Promise<ArrayBuffer> {
  const { evaluation, model } = recorded;
  const E = model.experts.length;
  const size = E * histogramBins;
  const start = evaluation?.detail ? pairsSize(evaluation.detail) + layer * size : 0;
  const counts =
    layer < model.layers.length &&
    (probe === heldOut
      ? await detailCounts({ evaluation, model }, domain, start, size)
      : await probedHistogram(recorded, { probe, layer, domain }));
  if (!counts) throw new UserError(`${model.name} has no histograms of that layer`);
  return frame({ kind: "histogram", id, probe, layer, domain, shape: [E, histogramBins] }, binShares(counts));
}

/** @throws UserError where nothing was probed. */
export async function saturationFrame(
  { probe, paths, model }: Recorded,
  { id }: Asked<"routingSaturation">,
): Promise<ArrayBuffer> {
  if (!probe) throw new UserError(`${model.name} has not probed its routing while it was trained`);
  const size = probeSize(probe);
  const count = await recordCount(paths.routingProbe, size);
  const records = await readStretches(paths.routingProbe, size, [...Array(count).keys()]);
  const steps = records.map((_, at) => Math.min(at * probe.every, model.steps || Number.POSITIVE_INFINITY));
  const shape: [number, number, number] = [records.length, probe.layers.length, probe.domains.length + 1];
  return frame({ kind: "saturation", id, steps, shape }, saturationOf(records, probe));
}
