import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { OutOfReachError } from "../disk/reach.ts";
import type { ListedRun } from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import { type RunRecord, runRecordSchema } from "../protocol/run.ts";
import { runPathsIn, runsFolder } from "../runs/layout.ts";
import { lockHolder } from "../runs/lock.ts";
import { readJson } from "../runs/read.ts";
import { ChangedFiles, inParallel } from "./changedFiles.ts";

/** Runs as the editor lists them. There may be many, so only each one's head is read, and only after a change. */

/** The part of `run.json` that a list needs; the rest is long. */
const headSchema = runRecordSchema
  .pick({ id: true, name: true, file: true, status: true, created: true, finished: true, seconds: true, error: true })
  .strip();

/** Files read at a time. */
const atOnce = 16;

export interface ListedRuns {
  runs: ListedRun[];
  /** Why other runs cannot be read, one sentence each. */
  problems: string[];
}

type Head =
  | Pick<RunRecord, "id" | "name" | "file" | "status" | "created" | "finished" | "seconds" | "error">
  | { problem: string };

/** Lists runs; caches what it read until files change. */
export class RunList {
  readonly #files = new ChangedFiles(100_000);

  /** All runs of a run folder, newest first. */
  async read(root: string): Promise<ListedRuns> {
    const ids = (await readdir(runsFolder(root)).catch(() => [])).sort().reverse();
    const entries = await inParallel(ids, atOnce, (id) => this.#entry(root, id));
    return {
      runs: entries.filter((entry) => typeof entry === "object"),
      problems: entries.filter((entry) => typeof entry === "string"),
    };
  }

  /** A run, a sentence about why it cannot be read, or undefined for a folder without a record. */
  async #entry(root: string, id: string): Promise<ListedRun | string | undefined> {
    const folder = join(runsFolder(root), id);
    const head = await this.#head(folder);
    if (head === undefined) return undefined;
    if ("problem" in head) return head.problem;
    const { report } = runPathsIn(folder);
    const hasReport = await stat(report).then(
      () => true,
      () => false,
    );
    const { status, name, file, created, finished, seconds, error } = head;
    return {
      root,
      run: id,
      name,
      file,
      // The runner records the final status before it releases the lock.
      state: status === "running" && !lockHolder(folder) ? await this.#ended(folder) : status,
      created,
      ...(finished === undefined ? {} : { finished }),
      ...(seconds === undefined ? {} : { seconds }),
      ...(error === undefined ? {} : { error }),
      ...(hasReport ? { report } : {}),
    };
  }

  /** The final state of a run that was recorded as running a moment ago but has no process. */
  async #ended(folder: string): Promise<ListedRun["state"]> {
    const head = await this.#head(folder);
    return head && "status" in head && head.status !== "running" ? head.status : "interrupted";
  }

  async #head(folder: string): Promise<Head | undefined> {
    const path = runPathsIn(folder).record;
    try {
      return await this.#files.read(path, () => readHead(path));
    } catch (error) {
      // Not kept, because trust in the workspace changes it.
      if (error instanceof OutOfReachError) return { problem: error.message };
      throw error;
    }
  }
}

async function readHead(path: string): Promise<Head | undefined> {
  try {
    return await readJson(path, headSchema);
  } catch (error) {
    if (error instanceof OutOfReachError) throw error;
    return { problem: error instanceof UserError ? error.message : `${path} cannot be read: ${error}` };
  }
}
