import type { Uri } from "vscode";
import type { ListedCheckpoint, ListedRun, ListedStage } from "../../server/protocol/editor.ts";

/**
 * The rows of the experiments view. A file, run or stage keeps its row object as long as it exists, and its id is the
 * same in every window, so that VS Code keeps selection and expansion. Commands get rows as arguments.
 */

export interface FileRow {
  type: "file";
  id: string;
  file: Uri;
  /** The file has runs but no longer exists. */
  missing: boolean;
}

export interface RunRow {
  type: "run";
  id: string;
  parent: FileRow;
  listed: ListedRun;
}

export interface StageRow {
  type: "stage";
  id: string;
  parent: RunRow;
  listed: ListedRun;
  stage: ListedStage;
}

export interface CheckpointRow {
  type: "checkpoint";
  id: string;
  parent: StageRow;
  listed: ListedRun;
  stage: ListedStage;
  checkpoint: ListedCheckpoint;
}

export interface ExpertRow {
  type: "expert";
  id: string;
  parent: StageRow;
  expert: string;
  /** Index of the expert. */
  place: number;
}

export type Row = FileRow | RunRow | StageRow | CheckpointRow | ExpertRow;

export class Rows {
  readonly #rows = new Map<string, Row>();

  file(file: Uri, missing: boolean): FileRow {
    return this.#row({ type: "file", id: `file ${file}`, file, missing });
  }

  run(parent: FileRow, listed: ListedRun): RunRow {
    return this.#row({ type: "run", id: runId(listed), parent, listed });
  }

  stage(parent: RunRow, stage: ListedStage): StageRow {
    return this.#row({ type: "stage", id: `${parent.id} ${stage.name}`, parent, listed: parent.listed, stage });
  }

  checkpoint(parent: StageRow, checkpoint: ListedCheckpoint): CheckpointRow {
    const { listed, stage } = parent;
    return this.#row({ type: "checkpoint", id: `${parent.id} ${checkpoint.holds}`, parent, listed, stage, checkpoint });
  }

  expert(parent: StageRow, expert: string, place: number): ExpertRow {
    return this.#row({ type: "expert", id: `${parent.id} expert ${place}`, parent, expert, place });
  }

  /** The row of a run, if it was shown. */
  ofRun(run: ListedRun): RunRow | undefined {
    const row = this.#rows.get(runId(run));
    return row?.type === "run" ? row : undefined;
  }

  /** Forgets all other runs and the rows below them. */
  keepRuns(runs: readonly ListedRun[]): void {
    const ids = new Set(runs.map(runId));
    for (const [id, row] of this.#rows) {
      const run = runOf(row);
      if (run && !ids.has(runId(run))) this.#rows.delete(id);
    }
  }

  /** The row with this id, updated, or the new one. */
  #row<R extends Row>(fresh: R): R {
    const known = this.#rows.get(fresh.id);
    if (known) return Object.assign(known, fresh) as R;
    this.#rows.set(fresh.id, fresh);
    return fresh;
  }
}

export const runId = ({ root, run }: ListedRun): string => `run ${root} ${run}`;

/** The run that a row represents or belongs to. */
export function runOf(row: Row): ListedRun | undefined {
  if (row.type === "file") return undefined;
  return row.type === "expert" ? row.parent.listed : row.listed;
}
