import type { UserError } from "../protocol/errors.ts";
import { cellMeasureNames, cellMeasures } from "../protocol/measures.ts";
import { expertsPerToken, mixedExperts } from "../protocol/model.ts";
import type { RoutedModel } from "../protocol/routing.ts";
import {
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
import type { RoutingStatistic } from "../protocol/routingStatistics.ts";
import type { MixSpec } from "../protocol/stage.ts";
import { evaluationOf } from "../protocol/stageKinds.ts";
import { colouredExperts, type FoundModel, mixOf, seedOf } from "../runs/findModel.ts";
import { stagePaths } from "../runs/layout.ts";
import { readLastMetric } from "../runs/read.ts";
import { readStage } from "../runs/stages.ts";
import type { RoutingCounts } from "./measures.ts";
import {
  blockOf,
  detailLayout,
  pairsLayout,
  probeDetailLayout,
  probeLayout,
  type RecordFile,
  readRanges,
  recordCount,
  recordFile,
  statisticsOfRecord,
  trainingLayout,
} from "./records.ts";
import { statisticsOfSummary } from "./summary.ts";

/** The recorded routing of a mixed model. */
export interface RecordedRouting {
  model: RoutedModel;
  training: RecordFile<RoutingIndex> | undefined;
  pairs: RecordFile<RoutingPairsIndex, RoutingStatistic> | undefined;
  probe: RecordFile<RoutingProbeIndex> | undefined;
  probeDetail: RecordFile<RoutingProbeDetailIndex, RoutingStatistic> | undefined;
  /** Its evaluation on held-out text. */
  summary: RoutingSummary | undefined;
  detail: RecordFile<RoutingDetailIndex, RoutingStatistic> | undefined;
  /** Maximum number of experts per token in each layer [L]. */
  k: number[];
}

/** Reads the recorded routing of a mixed model so far. @throws UserError if a file is damaged */
export async function readRecordedRouting(found: FoundModel): Promise<RecordedRouting> {
  const { root, run, stage } = found;
  const paths = stagePaths(root, stage.key);
  const read = await readStage(paths.folder);
  const { routing, routingPairs, routingProbe, routingProbeDetail } = paths;
  const { routingIndex, routingPairsIndex, routingProbeIndex, routingProbeDetailIndex } = paths;
  const stageRecord = read?.record;
  const training = await recordFile(routing, routingIndex, routingIndexSchema, trainingLayout, stageRecord);
  const pairs = await recordFile(routingPairs, routingPairsIndex, routingPairsIndexSchema, pairsLayout, stageRecord);
  const probe = await recordFile(routingProbe, routingProbeIndex, routingProbeIndexSchema, probeLayout, stageRecord);
  const probeDetail = await recordFile(
    routingProbeDetail,
    routingProbeDetailIndex,
    routingProbeDetailIndexSchema,
    probeDetailLayout,
    stageRecord,
  );
  const probed = probeDetail ? await recordCount(probeDetail) : 0;
  const { summary, detail } = await readEvaluation(found);
  const mix = mixOf(found);
  const planned = read?.state === "done" ? plannedAxes(found) : { layers: [], experts: [], domains: [] };
  const { layers, kinds, experts, domains } = training?.index ?? summary ?? planned;
  const k = mix ? layers.map((_, position) => perToken(mix.spec, layers, position)) : layers.map(() => 1);
  const snapshots = training ? await recordCount(training) : 0;
  const last = await readLastMetric(paths).catch((_: UserError) => undefined);
  const names = colouredExperts(found, experts);
  const available = new Set<string>([
    ...(training && snapshots > 0 ? training.layout.blocks.map(({ name }) => name) : []),
    ...(probeDetail && probed > 0 ? probeDetail.index.statistics : []),
    ...(summary ? Object.keys(statisticsOfSummary(summary, domains)) : []),
  ]);
  const model: RoutedModel = {
    root,
    key: stage.key,
    run,
    name: stage.name,
    state: read?.state ?? "waiting",
    router: mix?.spec.router.type ?? "",
    k: Math.min(...k, experts.length),
    layers,
    ...(kinds ? { kinds } : {}),
    experts: names,
    domains: domains.map((name) => ({ ...names.find((expert) => expert.name === name), name })),
    every: training?.index.every ?? 0,
    snapshots,
    steps: last?.steps ?? 0,
    cells: cellMeasureNames.filter((one) => available.has(cellMeasures[one].of)),
    evaluated: summary !== undefined,
    detailed: detail !== undefined,
    ...(stage.parents.model === undefined ? {} : { from: stage.parents.model }),
    ...(pairs ? { pairsEvery: pairs.index.every } : {}),
    ...(probeDetail && probed > 0 ? { probed: { probes: probed, every: probeDetail.index.every } } : {}),
    ...(probe ? { probes: await recordCount(probe) } : {}),
  };
  return { model, training, pairs, probe, probeDetail, summary, detail, k };
}

/** The axes of a mixed model without recorded routing, from its plan. */
function plannedAxes(found: FoundModel): Pick<RoutingIndex, "layers" | "kinds" | "experts" | "domains"> {
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

async function readEvaluation({
  root,
  stage,
  stages,
}: FoundModel): Promise<Pick<RecordedRouting, "summary" | "detail">> {
  const planned = evaluationOf(stage.name, stages);
  const paths = planned && stagePaths(root, planned.key);
  const evaluated = paths && (await readStage(paths.folder));
  const summary = evaluated?.state === "done" ? evaluated.record.result?.routing : undefined;
  if (!paths || !summary) return { summary: undefined, detail: undefined };
  const { routingDetail, routingDetailIndex } = paths;
  return {
    summary,
    detail: await recordFile(
      routingDetail,
      routingDetailIndex,
      routingDetailIndexSchema,
      detailLayout,
      evaluated?.record,
    ),
  };
}

/** The statistics of a snapshot, of a probe, or of held-out text (-1). */
export interface CountsAt {
  snapshot: number;
  counts: RoutingCounts;
}

/** The statistics of snapshots, or of held-out text (-1); missing ones are left out. */
export async function readCounts(recorded: RecordedRouting, snapshots: readonly number[]): Promise<CountsAt[]> {
  const { training, summary, model, k } = recorded;
  const shape: RoutingCounts["shape"] = [model.layers.length, model.domains.length, model.experts.length];
  const trained = snapshots.filter((snapshot) => snapshot >= 0);
  const records = training && trained.length > 0 ? await readRanges(training, trained) : [];
  const domains = model.domains.map(({ name }) => name);
  return snapshots.flatMap((snapshot) => {
    const record = records[trained.indexOf(snapshot)];
    const statistics =
      snapshot < 0
        ? summary && statisticsOfSummary(summary, domains)
        : training && record && statisticsOfRecord(training.layout, record);
    return statistics ? [{ snapshot, counts: { shape, statistics, k } }] : [];
  });
}

/** A statistic of held-out tokens at probes, or of the evaluation (-1); missing ones are left out. */
export async function readProbedStatistic(
  recorded: RecordedRouting,
  statistic: RoutingStatistic,
  probes: readonly number[],
): Promise<CountsAt[]> {
  const { probeDetail, k } = recorded;
  const evaluated = await readCounts(
    recorded,
    probes.filter((probe) => probe < 0),
  );
  const trained = probes.filter((probe) => probe >= 0);
  const block = probeDetail && blockOf(probeDetail.layout, statistic);
  if (!block || trained.length === 0) return evaluated;
  const { layers, domains, experts } = probeDetail.index;
  const records = await readRanges(probeDetail, trained, block);
  const ofTraining = trained.flatMap((snapshot, at): CountsAt[] => {
    const values = records[at];
    const shape: RoutingCounts["shape"] = [layers.length, domains.length, experts.length];
    return values ? [{ snapshot, counts: { shape, statistics: { [statistic]: values }, k } }] : [];
  });
  return [...evaluated, ...ofTraining];
}
