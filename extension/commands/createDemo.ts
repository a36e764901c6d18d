import { Uri, window, workspace } from "vscode";
import type { Studio } from "../studio.ts";
import { chosenFolder } from "./workspaceFolder.ts";

const name = "btx-demo";

/** Writes the demo experiment and its texts into a new folder of the workspace, and opens it. Opens it only, if it is there. */
export async function createDemo(studio: Studio): Promise<unknown> {
  const parent = await chosenFolder("The demo lies in");
  if (!parent) return undefined;
  const folder = Uri.joinPath(parent, name);
  const there = Uri.joinPath(folder, "demo.btx.yaml");
  const exists = await workspace.fs.stat(there).then(
    () => true,
    () => false,
  );
  const file = exists
    ? there
    : Uri.file((await studio.backend.request("btx/writeDemo", { folder: folder.fsPath })).file);
  await window.showTextDocument(file);
  await studio.experiments.refresh();
  return file;
}
