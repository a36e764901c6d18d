import type { UserError } from "../protocol/errors.ts";
import { cellMeasureSchema, cellMeasures } from "../protocol/measures.ts";
import { expertsPerToken, mixedExperts } from "../protocol/model.ts";
import type { RoutedModel } from "../protocol/routing.ts";
import {
  probeDetailSize,
  probeSize,
  type RoutingDetailIndex,
  type RoutingIndex,
  type RoutingPairsIndex,
  type RoutingProbeDetailIndex,
  type RoutingProbeIndex,
  type RoutingSummary,
  routingDetailIndexSchema,
  routingIndexSchema,
  routingPairsIndexSchema,
  routingProbeDetailIndexSchema,
  routingProbeIndexSchema,
} from "../protocol/routingFiles.ts";
import { histogramBins } from "../protocol/routingStatistics.ts";
import type { MixSpec } from "../protocol/stage.ts";
import { evaluationOf } from "../protocol/stageKinds.ts";
import { colouredExperts, type FoundModel, mixOf, seedOf } from "../runs/findModel.ts";
import { type StagePaths, stagePaths } from "../runs/layout.ts";
import { readJson, readLastMetric } from "../runs/read.ts";
import { readStage } from "../runs/stages.ts";
import { measured, type RoutingCounts } from "./measures.ts";
import { readStretches, recordCount } from "./readRecords.ts";

/** The routing of one mixed model as it lies in the run folder. */
export interface Recorded {
  model: RoutedModel;
  paths: StagePaths;
  index: RoutingIndex | undefined;
  pairs: RoutingPairsIndex | undefined;
  probe: RoutingProbeIndex | undefined;
  probeDetail: RoutingProbeDetailIndex | undefined;
  /** Its evaluation on held-out text. */
  evaluation: { summary: RoutingSummary; paths: StagePaths; detail: RoutingDetailIndex | undefined } | undefined;
  /** Experts a token in each layer [L]. */
  k: number[];
}

/** Values of one record of `routing.f32`: [statistic, L, D, E], then [layer statistic, L, D]. */
export const recordSize = ({ statistics, layerStatistics = [], layers, domains, experts }: RoutingIndex): number =>
  layers.length * domains.length * (statistics.length * experts.length + layerStatistics.length);

/** Values of one record of `routing-pairs.f32`: coActivation [L, E, E], then transitions [L - 1, E, E]. */
export const pairsSize = ({ layers, experts }: Pick<RoutingPairsIndex, "layers" | "experts">): number =>
  (2 * layers.length - 1) * experts.length ** 2;

/** Values of one record of `routing-detail.f32`: coActivation, transitions, histogram [L, E, bins]. */
export const detailSize = (detail: RoutingDetailIndex): number =>
  pairsSize(detail) + detail.layers.length * detail.experts.length * histogramBins;

/** Reads what has been recorded so far of the routing of a mixed model. @throws UserError for a broken file. */
export async function readRecorded(found: FoundModel): Promise<Recorded> {
  const { root, run, stage } = found;
  const paths = stagePaths(root, stage.key);
  const read = await readStage(paths.folder);
  const index = await readJson(paths.routingIndex, routingIndexSchema);
  const pairs = await readJson(paths.routingPairsIndex, routingPairsIndexSchema);
  const probe = await readJson(paths.routingProbeIndex, routingProbeIndexSchema);
  const probeDetail = await readJson(paths.routingProbeDetailIndex, routingProbeDetailIndexSchema);
  const probed = probeDetail ? await recordCount(paths.routingProbeDetail, probeDetailSize(probeDetail)) : 0;
  const evaluation = await readEvaluation(found);
  const mix = mixOf(found);
  const planned = read?.state === "done" ? plannedAxes(found) : { layers: [], experts: [], domains: [] };
  const { layers, experts, domains } = index ?? evaluation?.summary ?? planned;
  const k = mix ? layers.map((_, position) => perToken(mix.spec, layers, position)) : layers.map(() => 1);
  const snapshots = index ? await recordCount(paths.routing, recordSize(index)) : 0;
  const last = await readLastMetric(paths).catch((_: UserError) => undefined);
  const names = colouredExperts(found, experts);
  const model: RoutedModel = {
    root,
    key: stage.key,
    run,
    name: stage.name,
    state: read?.state ?? "waiting",
    router: mix?.spec.router.type ?? "",
    k: Math.min(...k, experts.length),
    layers,
    experts: names,
    domains: domains.map((name) => ({ ...names.find((expert) => expert.name === name), name })),
    every: index?.every ?? 0,
    snapshots,
    steps: last?.steps ?? 0,
    cells: [],
    evaluated: evaluation !== undefined,
    detailed: evaluation?.detail !== undefined,
    ...(stage.parents.model === undefined ? {} : { from: stage.parents.model }),
    ...(pairs ? { pairsEvery: pairs.every } : {}),
    ...(probeDetail && probed > 0 ? { probed: { probes: probed, every: probeDetail.every } } : {}),
    ...(probe ? { probes: await recordCount(paths.routingProbe, probeSize(probe)) } : {}),
  };
  const recorded: Recorded = { model, paths, index, pairs, probe, probeDetail, evaluation, k };
  const counts = index && snapshots > 0 ? indexed(recorded, index, new Float32Array(0)) : undefined;
  const summed = evaluation && summaryCounts(recorded, evaluation.summary);
  model.cells = cellMeasureSchema.options.filter(
    (one) =>
      (model.probed && cellMeasures[one].heldOutOnly) ||
      [counts, summed].some((some) => some && measured(some, [one]).length > 0),
  );
  return recorded;
}

/** What the plan says of a mixed model of which nothing was recorded. */
function plannedAxes(found: FoundModel): Pick<RoutingIndex, "layers" | "experts" | "domains"> {
  const [mix, seed] = [mixOf(found), seedOf(found)];
  if (!mix || seed?.spec.kind !== "seed") return { layers: [], experts: [], domains: [] };
  const evaluation = found.stages.find(({ spec }) => spec.kind === "evaluate");
  return {
    layers: mix.spec.layers ?? [...Array(seed.spec.model.layers).keys()],
    experts: mixedExperts(mix.spec),
    domains: evaluation?.spec.kind === "evaluate" ? evaluation.spec.domains : [],
  };
}

const perToken = ({ router, ...mix }: MixSpec, layers: number[], position: number): number =>
  expertsPerToken({ router, layers, experts: mixedExperts(mix) }, position);

async function readEvaluation({ root, stage, stages }: FoundModel): Promise<Recorded["evaluation"]> {
  const planned = evaluationOf(stage.name, stages);
  if (!planned) return undefined;
  const paths = stagePaths(root, planned.key);
  const evaluated = await readStage(paths.folder);
  const summary = evaluated?.state === "done" ? evaluated.record.result?.routing : undefined;
  return summary && { summary, paths, detail: await readJson(paths.routingDetailIndex, routingDetailIndexSchema) };
}

/** Counts as they lie in a record. */
function indexed({ k }: Recorded, index: RoutingIndex, record: Float32Array): RoutingCounts {
  const shape: RoutingCounts["shape"] = [index.layers.length, index.domains.length, index.experts.length];
  const [size, rows] = [shape[0] * shape[1] * shape[2], shape[0] * shape[1]];
  const statistic = (name: string) => {
    const at = index.statistics.indexOf(name);
    return at < 0 ? undefined : record.subarray(at * size, (at + 1) * size);
  };
  const ofLayers = (name: string) => {
    const at = index.layerStatistics?.indexOf(name) ?? -1;
    const start = index.statistics.length * size + at * rows;
    return at < 0 ? undefined : record.subarray(start, start + rows);
  };
  const [probability, droppedTokens] = [statistic("probability"), statistic("droppedTokens")];
  const entropy = ofLayers("entropy");
  return {
    shape,
    routedTokens: statistic("routedTokens") ?? new Float32Array(size),
    gateMass: statistic("gateMass") ?? new Float32Array(size),
    ...(probability ? { probability } : {}),
    ...(droppedTokens ? { droppedTokens } : {}),
    ...(entropy ? { entropy } : {}),
    k,
  };
}

/** An evaluation's counts, its domains in the order of the model's. */
function summaryCounts({ model, k }: Recorded, summary: RoutingSummary): RoutingCounts {
  const { layers, experts, domains } = model;
  const from = domains.map(({ name }) => summary.domains.indexOf(name));
  /** [layer][expert][domain] to [L, D, E]. */
  const turned = (values: number[][][]) =>
    Float64Array.from({ length: layers.length * domains.length * experts.length }, (_, at) => {
      const [expert, row] = [at % experts.length, Math.floor(at / experts.length)];
      const domain = from[row % domains.length]!;
      return values[Math.floor(row / domains.length)]?.[expert]?.[domain] ?? 0;
    });
  const { probability, droppedTokens, entropy, vocabulary } = summary;
  /** [layer][expert][domain and all] to [L, D + 1, E]. */
  const withAll = (values: number[][][]) =>
    layers.flatMap((_, layer) =>
      [...from, summary.domains.length].flatMap((at) =>
        experts.map((__, expert) => values[layer]?.[expert]?.[at] ?? 0),
      ),
    );
  return {
    shape: [layers.length, domains.length, experts.length],
    routedTokens: turned(summary.routedTokens),
    gateMass: turned(summary.gateMass),
    ...(probability ? { probability: turned(probability) } : {}),
    ...(droppedTokens ? { droppedTokens: turned(droppedTokens) } : {}),
    ...(entropy ? { entropy: layers.flatMap((_, layer) => from.map((at) => entropy[layer]?.[at] ?? 0)) } : {}),
    ...(vocabulary
      ? {
          vocabulary: {
            vocabularyInput: withAll(vocabulary.input),
            vocabularyPredicted: withAll(vocabulary.predicted),
          },
        }
      : {}),
    k,
  };
}

/** The counts of snapshots, or of held-out text (-1); those that are not there are left out. */
export async function readCounts(
  recorded: Recorded,
  snapshots: readonly number[],
): Promise<{ snapshot: number; counts: RoutingCounts }[]> {
  const { index, evaluation, paths } = recorded;
  const trained = snapshots.filter((snapshot) => snapshot >= 0);
  const records = index && trained.length > 0 ? await readStretches(paths.routing, recordSize(index), trained) : [];
  const found = new Map(records.map((record, at) => [trained[at]!, indexed(recorded, index!, record)]));
  return snapshots.flatMap((snapshot) => {
    const counts = snapshot < 0 ? evaluation && summaryCounts(recorded, evaluation.summary) : found.get(snapshot);
    return counts ? [{ snapshot, counts }] : [];
  });
}
