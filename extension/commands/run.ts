import { workspace } from "vscode";
import { startRun } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";
import { experimentFile } from "./target.ts";

/** Runs an experiment file. Gives the run. */
export async function run(studio: Studio, argument: unknown): Promise<unknown> {
  const file = await experimentFile(studio, argument);
  if (!file) return undefined;
  const document = workspace.textDocuments.find(({ uri }) => uri.toString() === file.toString());
  const save = workspace.getConfiguration("btx.run", file).get("saveBeforeRun", true);
  if (save && document?.isDirty && !(await document.save()))
    throw new Error(`${workspace.asRelativePath(file)} could not be saved, so it was not run.`);
  const started = await studio.backend.request(startRun, { file: file.fsPath, ...cores() });
  await studio.experiments.refresh();
  return started;
}

/** The cores that the settings give to a run. */
export function cores(): { cores?: number } {
  const asked = workspace.getConfiguration("btx.run").get<number | null>("cores");
  return typeof asked === "number" && Number.isInteger(asked) && asked >= 1 ? { cores: asked } : {};
}
