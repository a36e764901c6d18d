import { FileType, Uri, window, workspace } from "vscode";
import type { Studio } from "../studio.ts";
import { domainsOf, type Template, templates } from "./templates.ts";
import { chosenFolder } from "./workspaceFolder.ts";

/** Folders offered as domains at most. */
const mostFolders = 200;

/** Writes an experiment file from a template, with folders of the workspace as domains, and opens it. */
export async function newExperiment(studio: Studio): Promise<unknown> {
  const folder = await chosenFolder("The new experiment lies in");
  if (!folder) return undefined;
  const template = await window.showQuickPick(templates, { placeHolder: "Template of the experiment" });
  if (!template) return undefined;
  const folders = await pickedFolders(folder);
  if (!folders) return undefined;
  const name = await askedName(folder, template);
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

/** Folders of text, relative to the experiment's folder. */
async function pickedFolders(folder: Uri): Promise<string[] | undefined> {
  const found = await foldersBelow(folder, "", 2);
  if (found.length === 0) return ["texts/first", "texts/second"];
  const picked = await window.showQuickPick(
    found.map((label) => ({ label: `$(folder) ${label}`, path: label })),
    {
      canPickMany: true,
      title: "Domains of the experiment",
      placeHolder: "Folders of text: an expert is trained on each",
    },
  );
  return picked && picked.length > 0 ? picked.map(({ path }) => path) : undefined;
}

/** Folders that could hold texts, those near the top first. */
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
      if (paths.length >= mostFolders) break;
      paths.push(...(await foldersBelow(Uri.joinPath(folder, name), `${prefix}${name}/`, depth - 1)));
    }
  }
  return paths.slice(0, mostFolders);
}

function askedName(folder: Uri, template: Template): Thenable<string | undefined> {
  return window
    .showInputBox({
      title: "New experiment",
      prompt: "Name of the experiment; its file is NAME.btx.yaml",
      value: "experiment",
      async validateInput(text) {
        const name = text.trim();
        if (!/^[\w][\w .-]*$/.test(name)) return "Letters, digits, spaces, and . _ - inside the name";
        for (const file of template.files(name, [])) {
          const exists = await workspace.fs.stat(fileUri(folder, file.name)).then(
            () => true,
            () => false,
          );
          if (exists) return `${file.name}.btx.yaml exists already`;
        }
        return undefined;
      },
    })
    .then((text) => text?.trim());
}
