import { basename, join } from "node:path";
import { commands, env, ProgressLocation, UIKind, Uri, window, workspace } from "vscode";
import { bytes } from "../../server/protocol/format.ts";
import type { Studio } from "../studio.ts";
import { hasModel } from "../tree/states.ts";
import { chosenRun, chosenStage } from "./target.ts";

/** Shows the log of a run or of a stage; without an argument, that of the extension and its backend. */
export async function showLog(studio: Studio, argument: unknown): Promise<unknown> {
  if (argument === undefined) {
    studio.backend.log.show();
    return undefined;
  }
  const { stage } = argument as { stage?: { folder?: string } };
  if (typeof stage?.folder === "string") return show(join(stage.folder, "log.txt"), "The stage has not started.");
  const chosen = await chosenRun(studio, argument, () => true, "There is no run yet.");
  return (
    chosen &&
    show(
      join(chosen.root, "runs", chosen.run, "log.txt"),
      "The run was not started from an editor, so its output went to its terminal.",
    )
  );
}

async function show(path: string, none: string): Promise<void> {
  const log = Uri.file(path);
  const exists = await workspace.fs.stat(log).then(
    () => true,
    () => false,
  );
  if (!exists) throw new Error(`There is no log. ${none}`);
  await window.showTextDocument(await workspace.openTextDocument(log), { preview: true });
}

/** Shows the folder of a run, stage or checkpoint in the system's file manager, or in the explorer if remote. */
export async function revealFolder(studio: Studio, argument: unknown): Promise<unknown> {
  const { stage, checkpoint } = (argument ?? {}) as { stage?: { folder?: string }; checkpoint?: { path?: string } };
  let path = checkpoint?.path ?? stage?.folder;
  if (path === undefined) {
    const run = await chosenRun(studio, argument, () => true, "There is no run yet.");
    if (!run) return undefined;
    path = join(run.root, "runs", run.run);
  }
  const here = env.remoteName === undefined && env.uiKind === UIKind.Desktop;
  return commands.executeCommand(here ? "revealFileInOS" : "revealInExplorer", Uri.file(path));
}

/** Copies a stage's model, in the Hugging Face format, into a new folder inside the folder that the user chooses. */
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

/** Copies a run's report to a file that the user chooses. */
export async function exportReport(studio: Studio, argument: unknown): Promise<unknown> {
  const none = "There is no report yet: a run writes its report when it ends.";
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
