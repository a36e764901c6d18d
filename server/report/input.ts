import type { RoutingSummary } from "../protocol/routingFiles.ts";
import type { RunRecord, RunSummary } from "../protocol/run.ts";
import type { Metric, StageRecord } from "../protocol/stage.ts";
import { stageOfModel } from "../protocol/stageKinds.ts";
import { type Cost, costOfStage } from "../runs/cost.ts";

/** Everything that a report shows, as read from the run folder. */
export interface ReportInput {
  summary: RunSummary;
  run: RunRecord;
  /** Records of the run's stages that have begun; found by their keys. */
  stages: readonly StageRecord[];
  /** Lines of each stage's `metrics.jsonl`, by the stage's name in the plan. */
  metrics: ReadonlyMap<string, readonly Metric[]>;
  /** Each model's routing on held-out text, by its name ("mix", "finetune", "upcycling"). */
  routing: ReadonlyMap<string, RoutingSummary>;
}

/** The records of the plan's stages, by name in the plan. */
export function recordsByName({ run, stages }: Pick<ReportInput, "run" | "stages">): Map<string, StageRecord> {
  const byKey = new Map(stages.map((record) => [record.key, record]));
  const found = new Map<string, StageRecord>();
  for (const { name, key } of run.stages) {
    const record = byKey.get(key);
    if (record) found.set(name, record);
  }
  return found;
}

/** The cost of the model `name`; undefined if no stage of the run made it. */
export function costOf(name: string, input: ReportInput): Cost | undefined {
  const { stages } = input.run;
  const stage = stages.find((planned) => planned.name === stageOfModel(name));
  return stage && costOfStage(stage.name, stages, recordsByName(input));
}
