import { type Uri, window, workspace } from "vscode";

/** The folder of the workspace, or the one of several that the person picks. @throws Error when no folder is open. */
export async function chosenFolder(placeHolder: string): Promise<Uri | undefined> {
  const folders = (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file");
  if (folders.length === 0) throw new Error("No folder is open: open one with File: Open Folder first.");
  if (folders.length === 1) return folders[0]!.uri;
  return (await window.showWorkspaceFolderPick({ placeHolder }))?.uri;
}
