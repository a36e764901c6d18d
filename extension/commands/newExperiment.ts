import { FileType, Uri, window, workspace } from "vscode";
import type { Studio } from "../studio.ts";
import { hasModel } from "../tree/states.ts";
import { chosenStage } from "./target.ts";
import { domainsOf, type Template, templates } from "./templates.ts";

/** Maximum number of folders offered as domains. */
const maxFolders = 200;

/** Writes an experiment file from a template, with folders of the workspace as domains, and opens it. */
export async function newExperiment(studio: Studio): Promise<unknown> {
  const folder = await chosenFolder("Folder for the new experiment");
  if (!folder) return undefined;
  const template = await window.showQuickPick(templates, { placeHolder: "Template for the experiment" });
  if (!template) return undefined;
  const folders = await pickFolders(folder);
  if (!folders) return undefined;
  const name = await askName(folder, template);
  if (name === undefined) return undefined;
  const files = template.files(name, domainsOf(folders));
  for (const file of files)
    await workspace.fs.writeFile(fileUri(folder, file.name), new TextEncoder().encode(file.text));
  const first = fileUri(folder, files[0]!.name);
  await window.showTextDocument(first);
  await studio.experiments.refresh();
  return first;
}

const fileUri = (folder: Uri, name: string): Uri => Uri.joinPath(folder, `${name}.btx.yaml`);

/** Asks for folders of text, relative to the experiment's folder. */
async function pickFolders(folder: Uri): Promise<string[] | undefined> {
  const found = await foldersBelow(folder, "", 2);
  if (found.length === 0) return ["texts/first", "texts/second"];
  const picked = await window.showQuickPick(
    found.map((label) => ({ label: `$(folder) ${label}`, path: label })),
    {
      canPickMany: true,
      title: "Domains of the experiment",
      placeHolder: "Folders with text: one expert is trained on each",
    },
  );
  return picked && picked.length > 0 ? picked.map(({ path }) => path) : undefined;
}

/** Folders that could hold texts; those nearest to the top come first. */
async function foldersBelow(folder: Uri, prefix: string, depth: number): Promise<string[]> {
  const entries = await workspace.fs.readDirectory(folder);
  const isFolder = (type: FileType) => (type & FileType.Directory) !== 0 && (type & FileType.SymbolicLink) === 0;
  const names = entries
    .filter(([name, type]) => isFolder(type) && !name.startsWith(".") && name !== "node_modules")
    .map(([name]) => name)
    .sort();
  const paths = names.map((name) => `${prefix}${name}`);
  if (depth > 1) {
    for (const name of names) {
      if (paths.length >= maxFolders) break;
      paths.push(...(await foldersBelow(Uri.joinPath(folder, name), `${prefix}${name}/`, depth - 1)));
    }
  }
  return paths.slice(0, maxFolders);
}

function askName(folder: Uri, template: Template): Thenable<string | undefined> {
  return window
    .showInputBox({
      title: "New experiment",
      prompt: "Name of the experiment; its file is NAME.btx.yaml",
      value: "experiment",
      async validateInput(text) {
        const name = text.trim();
        if (!/^[\w][\w .-]*$/.test(name))
          return "Use letters, digits, spaces and . _ -, starting with a letter, digit or _";
        for (const file of template.files(name, [])) {
          const exists = await workspace.fs.stat(fileUri(folder, file.name)).then(
            () => true,
            () => false,
          );
          if (exists) return `${file.name}.btx.yaml already exists`;
        }
        return undefined;
      },
    })
    .then((text) => text?.trim());
}

const demoFolder = "btx-demo";

/** Opens the demo experiment; writes it and its texts into a new folder of the workspace first if it is missing. */
export async function createDemo(studio: Studio): Promise<unknown> {
  const parent = await chosenFolder("Folder for the demo");
  if (!parent) return undefined;
  const folder = Uri.joinPath(parent, demoFolder);
  const existing = Uri.joinPath(folder, "demo.btx.yaml");
  const exists = await workspace.fs.stat(existing).then(
    () => true,
    () => false,
  );
  const file = exists
    ? existing
    : Uri.file((await studio.backend.request("btx/writeDemo", { folder: folder.fsPath })).file);
  await window.showTextDocument(file);
  await studio.experiments.refresh();
  return file;
}

/** The workspace's folder; if it has several, the user picks one. @throws Error if no folder is open. */
export async function chosenFolder(placeHolder: string): Promise<Uri | undefined> {
  const folders = (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file");
  if (folders.length === 0) throw new Error("No folder is open: open one with File > Open Folder.");
  if (folders.length === 1) return folders[0]!.uri;
  return (await window.showWorkspaceFolderPick({ placeHolder }))?.uri;
}

/** Copies a run's experiment with one of the run's models as the seed, and opens the copy. */
export async function fork(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenStage(
    studio,
    argument,
    (stage) => hasModel(stage) && stage.experts.length === 0,
    "This run has no dense model yet that could be the seed.",
  );
  if (!chosen) return undefined;
  const { root, run } = chosen.run;
  const { file } = await studio.backend.request("btx/forkRun", { root, run, stage: chosen.stage.name });
  await window.showTextDocument(Uri.file(file));
  return file;
}
