import { basename } from "node:path";
import { ProgressLocation, type Uri, window, workspace } from "vscode";
import type { RunReference } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";
import { experimentFile } from "./target.ts";

/** Runs an experiment file. Gives the run. */
export async function run(studio: Studio, argument: unknown): Promise<unknown> {
  const file = await experimentFile(studio, argument);
  return file && startRun(studio, file);
}

/** Runs a file, after it was saved. @param stage a stage, or a section's stages: only these and what they need. */
export async function startRun(studio: Studio, file: Uri, stage?: string): Promise<RunReference> {
  await saved(file);
  const asked = { file: file.fsPath, ...cores(), ...(stage === undefined ? {} : { stage }) };
  const run = await starting(basename(file.path), () => studio.backend.request("btx/startRun", asked));
  // A new file is not always told of by the editor.
  if (!studio.experiments.files.some(({ path }) => path === file.path)) void studio.experiments.refresh();
  return run;
}

/** Says that a run is about to begin: its texts are read before it shows in the tree, which may take a while. */
export const starting = <T>(name: string, work: () => Promise<T>): Thenable<T> =>
  window.withProgress({ location: ProgressLocation.Window, title: `Starting ${name}` }, work);

/** Saves a file if it is open and the settings want that. @throws Error when it cannot be saved. */
export async function saved(file: Uri): Promise<void> {
  const document = workspace.textDocuments.find(({ uri }) => uri.toString() === file.toString());
  const save = workspace.getConfiguration("btx.run", file).get("saveBeforeRun", true);
  if (save && document?.isDirty && !(await document.save()))
    throw new Error(`${workspace.asRelativePath(file)} could not be saved, so it was not run.`);
}

/** The cores that the settings give to a run. */
export function cores(): { cores?: number } {
  const asked = workspace.getConfiguration("btx.run").get<number | null>("cores");
  return typeof asked === "number" && Number.isInteger(asked) && asked >= 1 ? { cores: asked } : {};
}
