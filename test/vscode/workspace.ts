import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ExperimentFolder, experimentText, type Sections, writeExperiment } from "../fixtures/experiment.ts";

/** Experiments for tests in VS Code. */

/** Done in a few seconds: only the cheapest baseline. */
export const quick: Sections = {
  seed: "{tokens: 640}",
  experts: "{tokens: 320}",
  finetune: "{tokens: 320, microBatch: 2}",
  evaluate: "{tokens: 160, answers: 0}",
  compare: "[average]",
};

/** Its seed alone takes minutes, so its run keeps running until it is stopped. */
export const long: Sections = { ...quick, seed: "{tokens: 10M}" };

/** Its seed takes some seconds: long enough to stop it, and it ends soon after it is resumed. */
export const medium: Sections = { ...quick, seed: "{tokens: 100k}" };

/** Writes an experiment into a folder that need not exist. */
export function experimentIn(folder: string, sections: Sections): ExperimentFolder {
  mkdirSync(folder, { recursive: true });
  return writeExperiment(folder, sections);
}

/** The workspace of the suites inside the extension host: one folder per experiment, so that they do not interfere. */
export function writeWorkspace(folder: string): string {
  experimentIn(join(folder, "quick"), quick);
  experimentIn(join(folder, "medium"), medium);
  experimentIn(join(folder, "odd $(touch hacked) & `touch hacked` ; %PATH%"), quick);
  mkdirSync(join(folder, "broken"));
  writeFileSync(join(folder, "broken/broken.btx.yaml"), experimentText({ mix: "{router: {k: 0}}" }));
  return folder;
}
