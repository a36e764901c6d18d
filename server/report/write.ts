import { writeFileAtomic } from "../disk/atomic.ts";
import { UserError } from "../protocol/errors.ts";
import type { RoutingSummary } from "../protocol/routingFiles.ts";
import type { Metric, StageRecord } from "../protocol/stage.ts";
import { measuredStage } from "../protocol/stageKinds.ts";
import { stagePaths } from "../runs/layout.ts";
import { readMetrics } from "../runs/read.ts";
import { requireRun } from "../runs/runs.ts";
import { readStage } from "../runs/stages.ts";
import { summarizeRun } from "../runs/summary.ts";
import { renderReport } from "./report.ts";

/**
 * Writes a run's `report.html` from the run folder. Metrics that cannot be read are left out.
 *
 * @returns why, a sentence for each stage whose metrics were left out.
 * @throws UserError if the disk is full.
 */
export async function writeReport(root: string, runId: string): Promise<string[]> {
  const {
    record: run,
    paths: { report },
  } = await requireRun(root, runId);
  const leftOut: string[] = [];
  const stages: StageRecord[] = [];
  const metrics = new Map<string, Metric[]>();
  const routing = new Map<string, RoutingSummary>();
  for (const planned of run.stages) {
    const { name, key } = planned;
    const stage = await readStage(stagePaths(root, key).folder);
    if (!stage) continue;
    stages.push(stage.record);
    try {
      const lines = await readMetrics(stage.paths, stage.record);
      if (lines.length > 0) metrics.set(name, lines);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      leftOut.push(`the report shows no losses of stage "${name}": ${error.message}`);
    }
    const [model, measured] = [measuredStage(planned), stage.record.result?.routing];
    if (model !== undefined && measured) routing.set(model, measured);
  }
  const summary = await summarizeRun(root, runId);
  await writeFileAtomic(report, renderReport({ summary, run, stages, metrics, routing }));
  return leftOut;
}
