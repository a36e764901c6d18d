import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, inject } from "vitest";
import { type ExperimentFolder, experimentFolder, type Sections, writeExperiment } from "../fixtures/experiment.ts";

/** The folder that all others of these are in. */
export const scratch = mkdtempSync(join(tmpdir(), "btx-integration-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));

/** An empty folder that goes when the file's tests have ended. */
export const scratchFolder = (): string => mkdtempSync(join(scratch, "x"));

/** A tiny experiment in a folder of its own. */
export const tinyExperiment = (sections: Sections = {}): ExperimentFolder => writeExperiment(scratchFolder(), sections);

/** The tiny experiment with a finished, undisturbed run of it, shared by all files: only to be read. */
export function finishedExperiment(): ExperimentFolder {
  const finished = inject("finished");
  if (finished.error !== undefined) throw new Error(finished.error);
  return experimentFolder(finished.folder);
}

/** A copy of `finishedExperiment` that may be changed. */
export function copyOfFinished(): ExperimentFolder {
  const folder = scratchFolder();
  cpSync(finishedExperiment().folder, folder, { recursive: true });
  return experimentFolder(folder);
}
