import type { RoutingSummary } from "../protocol/routingFiles.ts";
import type { RunSummary } from "../protocol/run.ts";
import type { DomainLoss, PlannedStage } from "../protocol/stage.ts";
import { measuredStage, modelOfStage, ownModel } from "../protocol/stageKinds.ts";
import { stagePaths } from "./layout.ts";
import { readLastMetric } from "./read.ts";
import { requireRun } from "./runs.ts";
import { readStage, type Stage } from "./stages.ts";

type StageSummary = RunSummary["stages"][number];
type ByDomain = Record<string, number>;

/**
 * The results of a run so far, from `run.json` and its stages' records.
 *
 * `losses` are nats per token on held-out text, of the models whose evaluation is done: "seed", "expert:<domain>",
 * "average", "mix" (not finetuned), "btx" (finetuned), "dense", "upcycling", "upcycling-compute", and "btm:tf-idf:1"
 * and so on, "btm:<weights>:<experts per token>". A model's `mean` is the plain mean over its domains, not weighted by
 * their tokens; `exactMatch` is over the domains that declare answers.
 *
 * @throws UserError when there is no such run, or naming the file and key of a broken record.
 */
export async function summarizeRun(root: string, runId: string): Promise<RunSummary> {
  const run = await requireRun(root, runId);
  const { record, paths } = run;
  const stages: StageSummary[] = [];
  const losses: [string, Record<string, DomainLoss>][] = [];
  const routings = new Map<string, RoutingSummary>();
  for (const planned of record.stages) {
    const stage = await readStage(stagePaths(root, planned.key).folder);
    stages.push(await summarizeStage(planned, stage, record.reused.includes(planned.name)));
    const measured = measuredStage(planned);
    const result = stage?.state === "done" ? stage.record.result : undefined;
    if (measured === undefined || !result) continue;
    const model = modelOfStage(measured);
    if (result.losses) losses.push([model, result.losses]);
    if (result.routing) routings.set(model, result.routing);
  }
  const by = (measure: keyof DomainLoss): Record<string, ByDomain> => measureByModel(losses, measure);
  const routing = routings.get(ownModel) ?? routings.get("mix");
  return {
    run: record.id,
    name: record.name,
    status: run.state,
    folder: paths.folder,
    stages,
    losses: by("nats"),
    bitsPerByte: by("bitsPerByte"),
    exactMatch: by("exactMatch"),
    routing: routing ? routedShare(routing) : [],
  };
}

async function summarizeStage(planned: PlannedStage, stage: Stage | undefined, reused: boolean): Promise<StageSummary> {
  const { name } = planned;
  if (!stage) return { name, status: "waiting", seconds: 0, tokens: 0, tokensPerSecond: 0, reused };
  const { record, state } = stage;
  const last = record.result ? undefined : await readLastMetric(stage.paths);
  return {
    name,
    status: state,
    seconds: Math.max(record.seconds, last?.seconds ?? 0),
    tokens: record.result?.tokens ?? last?.tokens ?? 0,
    tokensPerSecond: record.result?.tokensPerSecond ?? last?.tokensPerSecond ?? 0,
    reused,
  };
}

/** Models that have the measure, by domain, each with its `mean`. */
function measureByModel(
  models: [string, Record<string, DomainLoss>][],
  measure: keyof DomainLoss,
): Record<string, ByDomain> {
  const measured: [string, ByDomain][] = [];
  for (const [model, losses] of models) {
    const values = measureByDomain(losses, measure);
    if (values) measured.push([model, values]);
  }
  return Object.fromEntries(measured);
}

/** One model's measure by domain, and its plain `mean` over the domains that have it; undefined where none has. */
export function measureByDomain(losses: Record<string, DomainLoss>, measure: keyof DomainLoss): ByDomain | undefined {
  const values: [string, number][] = [];
  for (const [domain, loss] of Object.entries(losses)) {
    const value = loss[measure];
    if (value !== undefined) values.push([domain, value]);
  }
  if (values.length === 0) return undefined;
  const mean = values.reduce((sum, [, value]) => sum + value, 0) / values.length;
  return Object.fromEntries([...values, ["mean", mean]]);
}

/** Share of a domain's tokens that a layer sends to an expert, [layer][expert][domain]; sums to K over experts. */
function routedShare({ routedTokens, tokens }: RoutingSummary): number[][][] {
  return routedTokens.map((experts) =>
    experts.map((domains) => domains.map((routed, domain) => (tokens[domain] ? routed / tokens[domain] : 0))),
  );
}
