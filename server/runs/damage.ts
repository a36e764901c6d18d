import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DamagedError } from "../disk/damaged.ts";
import { readBoundedSync } from "../disk/open.ts";

/**
 * For a damaged file of a run: the same error, with the stage that made the file and the command that makes it again.
 * Any other error as it is.
 *
 * @param run the run's id, where it is known.
 */
export function explainDamage(error: unknown, run?: string): unknown {
  if (!(error instanceof DamagedError) || (error.hasRemedy && run === undefined)) return error;
  const { path, what } = error;
  if (basename(path) === "run.json") {
    const again = "run the experiment again with `btx run`, which reuses the stages that are finished";
    return new DamagedError(path, what, again);
  }
  const folder = stageFolderOf(path);
  if (folder === undefined) return error;
  const name = stageName(folder);
  const made = name === undefined ? "" : `, which stage "${name}" made`;
  const command = run === undefined ? "btx resume" : `btx resume ${run}`;
  return new DamagedError(path, what, `delete the folder ${folder}${made}, then run \`${command}\` to make it again`);
}

/** The stage's folder that a file lies in; undefined elsewhere. */
function stageFolderOf(path: string): string | undefined {
  let folder = dirname(path);
  // The deepest files are those of a domain and of a checkpoint.
  for (let depth = 0; depth < 3; depth++, folder = dirname(folder))
    if (basename(dirname(folder)) === "stages" || existsSync(join(folder, "stage.json"))) return folder;
  return undefined;
}

/** Longer than any record of a stage. */
const maxRecordBytes = 64 << 20;

/** The name in a stage's record, even if that is damaged; undefined if it cannot be found. */
function stageName(folder: string): string | undefined {
  try {
    const text = readBoundedSync(join(folder, "stage.json"), maxRecordBytes).toString("utf8");
    return /^ {2}"name": "([^"\\]{1,200})",?$/m.exec(text)?.[1];
  } catch {
    return undefined;
  }
}
