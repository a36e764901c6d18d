import { join } from "node:path";
import { dataIndexSchema } from "../protocol/data.ts";
import type { RunRecord } from "../protocol/run.ts";
import type { StageRecord } from "../protocol/stage.ts";
import { stagePaths } from "../runs/layout.ts";
import { readJson } from "../runs/read.ts";
import { requireRun } from "../runs/runs.ts";
import { readStage } from "../runs/stages.ts";

/** A run, by its run folder (`.btx`) and its id. */
export interface RunReference {
  root: string;
  id: string;
}

/** The results of a run that are compared. */
export interface RunResults {
  folder: string;
  record: RunRecord;
  /** The run's status, or "interrupted". */
  status: string;
  /** Records of the stages that have begun, by their names in the plan. */
  records: ReadonlyMap<string, StageRecord>;
  /** Held-out tokens of each domain; empty if the data's index is gone. */
  heldOutTokens: ReadonlyMap<string, number>;
}

/** Reads a run's results. @throws UserError if the run does not exist, or naming file and key of an invalid record. */
export async function readResults({ root, id }: RunReference): Promise<RunResults> {
  const run = await requireRun(root, id);
  const { folder } = run.paths;
  const records = new Map<string, StageRecord>();
  for (const { name, key } of run.record.stages) {
    const stage = await readStage(stagePaths(root, key).folder);
    if (stage) records.set(name, stage.record);
  }
  const data = run.record.stages.find(({ spec }) => spec.kind === "data");
  const index = data && (await readJson(join(stagePaths(root, data.key).folder, "index.json"), dataIndexSchema));
  const heldOutTokens = new Map(
    Object.entries(index?.domains ?? {}).map(([name, { heldout }]) => [name, heldout.tokens]),
  );
  return { folder, record: run.record, status: run.state, records, heldOutTokens };
}
