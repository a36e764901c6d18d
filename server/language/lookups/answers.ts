import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { expandFiles } from "../../data/files.ts";
import { Search, standardLimits } from "../../data/search.ts";
import { statsOf } from "../../disk/open.ts";
import { assertInReach } from "../../disk/reach.ts";
import { checkExperiment } from "../../experiment/check.ts";
import { parseExperiment } from "../../experiment/parse.ts";
import type { Experiment } from "../../experiment/resolve.ts";
import { UserError } from "../../protocol/errors.ts";
import { experimentCosts } from "../facts/costs.ts";
import type { Answer, Asked, ExperimentText, FilesSeen, FolderEntry, Lookup } from "./questions.ts";

/** Work on disks for the language server, in a process of its own. */

/** While someone types, a shorter search than that of `btx check`: the result would be out of date. */
const limits = { ...standardLimits, ms: 20_000 };

/** Entries of a folder that are read for completion. */
const maxEntries = 20_000;

type Answers = { [L in Lookup]: (asked: Asked<L>, signal: AbortSignal) => Promise<Answer<L>> };

const answers: Answers = {
  check: (asked, signal) => checkExperiment(parsed(asked), asked.file, undefined, { signal, limits }),
  costs: (asked) => experimentCosts(parsed(asked), asked.file),
  files: ({ folder, patterns }, signal) => filesSeen(folder, patterns, signal),
  entries: ({ folder }, signal) => entriesOf(folder, signal),
  targets: ({ paths }) => Promise.all(paths.map((path) => targetOf(path).catch(() => undefined))),
};

export const answerLookup = <L extends Lookup>(lookup: L, asked: Asked<L>, signal: AbortSignal): Promise<Answer<L>> =>
  answers[lookup](asked, signal);

function parsed({ file, text }: ExperimentText): Experiment {
  const { experiment, problems } = parseExperiment(text, file);
  if (!experiment) throw new Error(`${file} has mistakes: ${problems[0]?.message}`);
  return experiment;
}

async function filesSeen(folder: string, patterns: string[], signal: AbortSignal): Promise<FilesSeen> {
  try {
    const files = await expandFiles(patterns, folder, new Search({ signal, limits }));
    let bytes = 0;
    for (const file of files) {
      signal.throwIfAborted();
      bytes += (await statsOf(file))?.size ?? 0;
    }
    return { count: files.length, bytes };
  } catch (error) {
    if (error instanceof UserError) return { problem: error.message };
    throw error;
  }
}

async function entriesOf(folder: string, signal: AbortSignal): Promise<FolderEntry[]> {
  const found: FolderEntry[] = [];
  try {
    await assertInReach(folder);
    for await (const entry of await opendir(folder, { bufferSize: 256 })) {
      signal.throwIfAborted();
      found.push({ name: entry.name, isFolder: entry.isDirectory() });
      if (found.length >= maxEntries) break;
    }
  } catch {
    signal.throwIfAborted();
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The file to open for a path; for a checkpoint or tokenizer folder, its most informative file. */
async function targetOf(path: string): Promise<string | undefined> {
  const found = await statsOf(path);
  if (!found?.isDirectory()) return found ? path : undefined;
  for (const name of ["config.json", "tokenizer.json"]) if (await statsOf(join(path, name))) return join(path, name);
  return path;
}
