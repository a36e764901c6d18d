import { join } from "node:path";
import { Uri, window, workspace } from "vscode";
import type { Studio } from "../studio.ts";
import { chosenRun } from "./target.ts";

/** Shows what the runner of a run said, or, called for no run, the log of the extension and its backend. */
export async function showLog(studio: Studio, argument: unknown): Promise<unknown> {
  if (argument === undefined) {
    studio.backend.log.show();
    return undefined;
  }
  const chosen = await chosenRun(studio, argument, () => true, "There is no run yet.");
  if (!chosen) return undefined;
  const log = Uri.file(join(chosen.root, "runs", chosen.run, "log.txt"));
  await window.showTextDocument(await workspace.openTextDocument(log), { preview: true });
  return undefined;
}
