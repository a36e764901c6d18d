import type { RunRecord, RunSummary } from "../protocol/run.ts";
import type { Metric, PlannedStage, RoutingSummary, StageRecord } from "../protocol/stage.ts";
import { kindOf } from "../terminal/comparison.ts";

/** Everything that a report shows, as read from the run folder. */
export interface ReportInput {
  summary: RunSummary;
  run: RunRecord;
  /** Records of the run's stages that have begun; found by their keys. */
  stages: readonly StageRecord[];
  /** Name of a stage in the plan to the lines of its `metrics.jsonl`. */
  metrics: ReadonlyMap<string, readonly Metric[]>;
  /** Name of a model ("mix", "finetune", "upcycling") to its routing on held-out text. */
  routing: ReadonlyMap<string, RoutingSummary>;
}

/** The record of each stage of the plan that has one, by its name in the plan. */
export function recordsByName({ run, stages }: ReportInput): Map<string, StageRecord> {
  const byKey = new Map(stages.map((record) => [record.key, record]));
  const found = new Map<string, StageRecord>();
  for (const { name, key } of run.stages) {
    const record = byKey.get(key);
    if (record) found.set(name, record);
  }
  return found;
}

/** What a model is and what it took to make it, its ancestors included. Zero where nothing was recorded. */
export interface Cost {
  parameters?: number;
  activeParameters?: number;
  /** Tokens trained on. */
  tokens: number;
  /** Floating-point operations of training. */
  flops: number;
  /** Seconds of work, added over stages even where they ran at the same time. */
  seconds: number;
}

/** A stage and all the stages it comes from, each once. */
function lineage(stage: PlannedStage, byName: ReadonlyMap<string, PlannedStage>): Set<PlannedStage> {
  const found = new Set<PlannedStage>();
  const visit = (name: string) => {
    const next = byName.get(name);
    if (next === undefined || found.has(next)) return;
    found.add(next);
    for (const parent of Object.values(next.parents)) visit(parent);
  };
  visit(stage.name);
  return found;
}

/** The cost of the model called `name`; absent where no stage of the run made it. Reading data and evaluating are not counted. */
export function costOf(name: string, input: ReportInput): Cost | undefined {
  const byName = new Map(input.run.stages.map((stage) => [stage.name, stage]));
  const stage =
    byName.get(name) ?? input.run.stages.find(({ spec }) => spec.kind === kindOf(name) && spec.kind === "finetune");
  if (stage === undefined) return undefined;
  const records = recordsByName(input);
  const own = records.get(stage.name)?.result;
  const cost: Cost = { tokens: 0, flops: 0, seconds: 0 };
  if (own?.parameters !== undefined) cost.parameters = own.parameters;
  if (own?.activeParameters !== undefined) cost.activeParameters = own.activeParameters;
  for (const { name: ancestor, spec } of lineage(stage, byName)) {
    const record = records.get(ancestor);
    if (record === undefined || spec.kind === "data" || spec.kind === "evaluate") continue;
    cost.seconds += record.seconds;
    if (spec.kind === "mix" || spec.kind === "average" || spec.kind === "btm") continue;
    cost.tokens += record.result?.tokens ?? 0;
    cost.flops += record.result?.flops ?? 0;
  }
  return cost;
}
