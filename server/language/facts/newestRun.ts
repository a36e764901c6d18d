import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PlannedStage, StageResult } from "../../protocol/stage.ts";
import { evaluationOf, trainingTokens } from "../../protocol/stageKinds.ts";
import { runRoot, runsFolder, stagePaths } from "../../runs/layout.ts";
import { readLastMetric } from "../../runs/read.ts";
import { type Run, type RunState, readRun } from "../../runs/runs.ts";
import { readStage, type StageState } from "../../runs/stages.ts";

export interface StageStanding {
  name: string;
  state: StageState | "waiting";
  /** Training loss, nats per token: of the last steps, or of the step it has come to. */
  loss?: number;
}

/** The state of the newest run of an experiment file. */
export interface RunStanding {
  id: string;
  state: RunState;
  stages: StageStanding[];
  /** Held-out loss of the finetuned model, nats per token, mean over domains; absent until it is evaluated. */
  meanLoss?: number;
}

/** Finds and reads newest runs. Remembers which run is of which file: that never changes. */
export class NewestRuns {
  readonly #files = new Map<string, string>();

  /**
   * Undefined where the file was never run, or its run folder cannot be read.
   * @param before what was read before; the stages of a run at rest are not read again.
   */
  async of(file: string, before?: Promise<RunStanding | undefined>): Promise<RunStanding | undefined> {
    const root = runRoot(file);
    const ids = (await readdir(runsFolder(root)).catch(() => [])).sort().reverse();
    for (const id of ids) {
      const path = join(runsFolder(root), id);
      if (!isSame(this.#files.get(path) ?? file, file)) continue;
      const run = await readRun(path).catch(() => undefined);
      if (!run) continue;
      this.#files.set(path, run.record.file);
      if (!isSame(run.record.file, file)) continue;
      const known = await before;
      return known && isAtRest(known, run) ? known : standing(run, root);
    }
    return undefined;
  }
}

/** Whether two paths are one; editors and shells write Windows' drives differently. */
const isSame = (a: string, b: string): boolean =>
  a === b || (process.platform === "win32" && a.toLowerCase() === b.toLowerCase());

const isAtRest = (known: RunStanding, run: Run): boolean =>
  known.id === run.record.id &&
  known.state === run.state &&
  run.state !== "running" &&
  known.stages.every(({ state }) => state !== "running");

async function standing({ record, state }: Run, root: string): Promise<RunStanding> {
  const read = await Promise.all(record.stages.map((planned) => stageStanding(planned, root)));
  const evaluation = evaluationOf("finetune", record.stages);
  const evaluated = evaluation && read[record.stages.indexOf(evaluation)]?.result?.losses;
  const nats = Object.values(evaluated ?? {}).map((loss) => loss.nats);
  return {
    id: record.id,
    state,
    stages: read.map(({ stage }) => stage),
    ...(nats.length > 0 ? { meanLoss: mean(nats) } : {}),
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

async function stageStanding(
  { name, key }: PlannedStage,
  root: string,
): Promise<{ stage: StageStanding; result?: StageResult }> {
  const found = await readStage(stagePaths(root, key).folder).catch(() => undefined);
  if (!found) return { stage: { name, state: "waiting" } };
  const { state, record, paths } = found;
  const { result } = record;
  const trains = trainingTokens(record.spec) > 0;
  const last = trains && !result ? await readLastMetric(paths).catch(() => undefined) : undefined;
  const loss = result?.trainingLoss ?? last?.loss;
  return { stage: { name, state, ...(loss === undefined ? {} : { loss }) }, ...(result ? { result } : {}) };
}
