import { basename } from "node:path";
import { ProgressLocation, Uri, window, workspace } from "vscode";
import { bytes } from "../../server/protocol/format.ts";
import type { Studio } from "../studio.ts";
import { hasModel } from "../tree/states.ts";
import { chosenRun, chosenStage } from "./target.ts";

/** Copies the model of a stage, in a Hugging Face layout, into a new folder in a folder that the person chooses. */
export async function exportModel(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenStage(studio, argument, hasModel, "This run has no model yet.");
  if (!chosen) return undefined;
  const { run, stage } = chosen;
  const [parent] =
    (await window.showOpenDialog({ canSelectFiles: false, canSelectFolders: true, openLabel: "Export Here" })) ?? [];
  if (!parent) return undefined;
  const folder = Uri.joinPath(parent, `${run.name}-${stage.name}`.replaceAll(/[^\w.-]+/g, "-"));
  const title = `Exporting ${stage.name} of ${run.name}`;
  const location = ProgressLocation.Notification;
  return window.withProgress({ location, title, cancellable: true }, async (_, token) => {
    const reference = { root: run.root, run: run.run, stage: stage.name };
    const answer = await studio.backend.request("btx/exportModel", { ...reference, folder: folder.fsPath }, token);
    window.setStatusBarMessage(`Exported ${bytes(answer.bytes)} to ${folder.fsPath}`, 10_000);
    return folder.fsPath;
  });
}

/** Copies the report of a run to a file that the person chooses. */
export async function exportReport(studio: Studio, argument: unknown): Promise<unknown> {
  const none = "There is no report yet: a run writes one when it ends.";
  const run = await chosenRun(studio, argument, ({ report }) => report !== undefined, none);
  if (!run?.report) return undefined;
  const report = Uri.file(run.report);
  const folder = workspace.getWorkspaceFolder(report)?.uri ?? Uri.joinPath(report, "..");
  const defaultUri = Uri.joinPath(folder, `${basename(run.file).replace(/\.btx\.yaml$/, "")}-${run.run}.html`);
  const target = await window.showSaveDialog({ defaultUri, filters: { "Web page": ["html"] } });
  if (!target) return undefined;
  await workspace.fs.copy(report, target, { overwrite: true });
  return target.fsPath;
}
