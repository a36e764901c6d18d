import { join } from "node:path";
import { Uri, window, workspace } from "vscode";
import type { Studio } from "../studio.ts";
import { chosenRun } from "./target.ts";

/** Shows what the runner of a run, or a stage's process, said; called for neither, the log of extension and backend. */
export async function showLog(studio: Studio, argument: unknown): Promise<unknown> {
  if (argument === undefined) {
    studio.backend.log.show();
    return undefined;
  }
  const { stage } = argument as { stage?: { folder?: string } };
  if (typeof stage?.folder === "string") return show(join(stage.folder, "log.txt"), "The stage has not begun.");
  const chosen = await chosenRun(studio, argument, () => true, "There is no run yet.");
  return (
    chosen &&
    show(
      join(chosen.root, "runs", chosen.run, "log.txt"),
      "The run was not started from an editor: it said all in its terminal.",
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
