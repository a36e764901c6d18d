import { basename } from "node:path";
import {
  EventEmitter,
  MarkdownString,
  ThemeColor,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  Uri,
  window,
  workspace,
} from "vscode";
import type { ListedRun } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";
import { stateIcon, when } from "./states.ts";

/** A row: an experiment file, or a run of it. Commands get it as their argument. */
type Row = { file: Uri } | { listed: ListedRun };

/** Experiment files, and under each its runs, newest first. */
export function registerExperiments({ context, experiments }: Studio): void {
  const onChange = new EventEmitter<void>();
  const provider: TreeDataProvider<Row> = {
    onDidChangeTreeData: onChange.event,
    getChildren(row) {
      if (!row) return experiments.files.map((file) => ({ file }));
      return "file" in row ? experiments.runsOf(row.file).map((listed) => ({ listed })) : [];
    },
    getTreeItem: (row) => ("file" in row ? fileItem(row.file, experiments.runsOf(row.file)) : runItem(row.listed)),
  };
  context.subscriptions.push(
    onChange,
    window.registerTreeDataProvider("btx.experiments", provider),
    experiments.onDidChange(() => onChange.fire()),
  );
}

function fileItem(file: Uri, runs: ListedRun[]): TreeItem {
  const { Expanded, None } = TreeItemCollapsibleState;
  const item = new TreeItem(basename(file.path), runs.length > 0 ? Expanded : None);
  // VS Code keeps a row without children closed when it gets some; as another row it opens.
  item.id = `${file} ${runs.length > 0}`;
  item.resourceUri = file;
  item.iconPath = new ThemeIcon("beaker");
  item.contextValue = "experiment";
  const folder = workspace.asRelativePath(Uri.joinPath(file, ".."), false);
  if (folder !== workspace.getWorkspaceFolder(file)?.uri.fsPath) item.description = folder;
  item.command = { command: "vscode.open", title: "Open", arguments: [file] };
  item.accessibilityInformation = { label: `Experiment ${basename(file.path)}, ${count(runs.length)}` };
  return item;
}

const count = (runs: number): string => (runs === 1 ? "1 run" : `${runs} runs`);

const colors: Partial<Record<ListedRun["state"], string>> = {
  failed: "testing.iconFailed",
  done: "testing.iconPassed",
  interrupted: "problemsWarningIcon.foreground",
};

function runItem(run: ListedRun): TreeItem {
  const item = new TreeItem(when(run.created));
  const color = colors[run.state];
  item.id = `${run.root} ${run.run}`;
  item.description = run.state;
  item.iconPath = new ThemeIcon(stateIcon[run.state], color ? new ThemeColor(color) : undefined);
  item.contextValue = `run:${run.state}${run.report === undefined ? "" : ":report"}`;
  item.tooltip = tooltip(run);
  item.accessibilityInformation = { label: `Run of ${when(run.created)}, ${run.state}` };
  return item;
}

function tooltip({ name, run, state, created, finished, error }: ListedRun): MarkdownString {
  const text = new MarkdownString();
  text.appendText(`${name}, run ${run}: ${state}\nbegan ${new Date(created).toLocaleString()}`);
  if (finished !== undefined) text.appendText(`\nended ${new Date(finished).toLocaleString()}`);
  if (error !== undefined) text.appendText(`\n${error}`);
  return text;
}
