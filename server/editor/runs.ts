import { access } from "node:fs/promises";
import type { ListedRun, RunReference } from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import { runPaths, runRoot } from "../runs/layout.ts";
import { lockHolder } from "../runs/lock.ts";
import { listRuns, type Run } from "../runs/runs.ts";
import { requestStop } from "../runs/stop.ts";

/** Runs as the editor lists them. */

/** The run folders of experiment files, each once. */
export const rootsOf = (files: string[]): string[] => [...new Set(files.map(runRoot))];

/** All runs in these run folders, newest first, and a sentence for each that cannot be read. */
export async function runsIn(roots: string[]): Promise<{ runs: ListedRun[]; problems: string[] }> {
  const runs: ListedRun[] = [];
  const problems: string[] = [];
  for (const root of roots) {
    for (const entry of await listRuns(root)) {
      if ("problem" in entry) problems.push(entry.problem);
      else runs.push(await listed(root, entry.run));
    }
  }
  return { runs: runs.sort((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : 0)), problems };
}

async function listed(root: string, { record, state, paths }: Run): Promise<ListedRun> {
  const { id: run, name, file, created, finished, error } = record;
  const hasReport = await access(paths.report).then(
    () => true,
    () => false,
  );
  return {
    root,
    run,
    name,
    file,
    state,
    created,
    ...(finished === undefined ? {} : { finished }),
    ...(error === undefined ? {} : { error }),
    ...(hasReport ? { report: paths.report } : {}),
  };
}

/** Asks a run to stop after a checkpoint; false when it is not running. @throws UserError when the disk is full. */
export async function stop({ root, run }: RunReference): Promise<boolean> {
  const paths = runPaths(root, run);
  if (!lockHolder(paths.folder)) return false;
  await requestStop(paths.stop);
  return true;
}

/** @throws UserError when the run is being worked on. */
export function checkIdle({ root, run }: RunReference): void {
  const holder = lockHolder(runPaths(root, run).folder);
  if (holder) throw new UserError(`run ${run} is running already, as process ${holder.pid} of ${holder.host}`);
}
