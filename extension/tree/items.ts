import { basename } from "node:path";
import { type MarkdownString, ThemeColor, ThemeIcon, TreeItem, TreeItemCollapsibleState, Uri, workspace } from "vscode";
import { colorId, stageColors } from "../../server/protocol/colors.ts";
import type { ListedStage } from "../../server/protocol/editor.ts";
import type { Experiments } from "../experiments.ts";
import type { CheckpointRow, ExpertRow, FileRow, Row, RunRow, StageRow } from "./rows.ts";
import { hasModel, stateColor, stateIcon, when } from "./states.ts";
import { checkpointText, countText, runText, stageText } from "./texts.ts";
import { checkpointTooltip, runTooltip, stageTooltip } from "./tooltips.ts";

const { Collapsed, Expanded, None } = TreeItemCollapsibleState;

/** How VS Code shows a row. */
export function treeItem(row: Row, experiments: Experiments): TreeItem {
  switch (row.type) {
    case "file":
      return fileItem(row, experiments.runsOf(row.file).length);
    case "run":
      return runItem(row, experiments.knownStages(row.listed));
    case "stage":
      return stageItem(row, experiments.knownStages(row.listed) ?? []);
    case "checkpoint":
      return checkpointItem(row);
    case "expert":
      return expertItem(row);
  }
}

/** A row's tooltip, created on demand. */
export function tooltip(row: Row, experiments: Experiments): MarkdownString | undefined {
  switch (row.type) {
    case "run":
      return runTooltip(row.listed, experiments.knownStages(row.listed));
    case "stage":
      return stageTooltip(row.stage);
    case "checkpoint":
      return checkpointTooltip(row.checkpoint);
    default:
      return undefined;
  }
}

function fileItem({ id, file, missing }: FileRow, runs: number): TreeItem {
  const item = new TreeItem(basename(file.path), runs > 0 ? Expanded : None);
  // VS Code keeps a childless row collapsed when it gains children; a new id makes it expand.
  item.id = runs > 0 ? id : `${id} without runs`;
  item.iconPath = new ThemeIcon("beaker");
  item.contextValue = missing ? "missing" : "experiment";
  const folder = workspace.asRelativePath(Uri.joinPath(file, ".."), false);
  const place = folder === workspace.getWorkspaceFolder(file)?.uri.fsPath ? "" : folder;
  item.description = missing ? [place, "file was removed"].filter(Boolean).join(", ") : place;
  item.tooltip = file.fsPath;
  if (!missing) {
    item.resourceUri = file;
    item.command = { command: "vscode.open", title: "Open", arguments: [file] };
  }
  const about = missing ? "file was removed, " : "";
  item.accessibilityInformation = { label: `Experiment ${basename(file.path)}, ${about}${countText(runs, "run")}` };
  return item;
}

function runItem({ id, listed }: RunRow, stages: readonly ListedStage[] | undefined): TreeItem {
  const { state, created, report } = listed;
  const item = new TreeItem(when(created), Collapsed);
  const color = stateColor[state] ?? (state === "done" ? "testing.iconPassed" : undefined);
  item.id = id;
  item.description = runText(listed, stages);
  item.iconPath = new ThemeIcon(stateIcon[state], color ? new ThemeColor(color) : undefined);
  item.contextValue = `run:${state}${report === undefined ? "" : ":report"}`;
  item.accessibilityInformation = { label: `Run of ${when(created)}, ${item.description}` };
  return item;
}

/** The part of a context value that says which actions a stage's model has. */
function modelOf(stage: ListedStage): string {
  if (!hasModel(stage)) return "";
  return stage.experts.length > 0 ? ":model" : ":model:dense";
}

function stageItem({ id, stage }: StageRow, stages: readonly ListedStage[]): TreeItem {
  const { name, state, checkpoints, experts } = stage;
  const item = new TreeItem(name, checkpoints.length + experts.length > 0 ? Collapsed : None);
  const series = stageColors(stages.map((one) => one.name)).get(name);
  const color = stateColor[state] ?? (series && colorId(series));
  item.id = id;
  item.description = stageText(stage);
  item.iconPath = new ThemeIcon(stateIcon[state], color ? new ThemeColor(color) : undefined);
  item.contextValue = `stage:${state}${modelOf(stage)}`;
  const stateWord = item.description.startsWith(state) ? "" : `${state}, `;
  item.accessibilityInformation = { label: `Stage ${name}, ${stateWord}${item.description}` };
  return item;
}

function checkpointItem({ id, stage, checkpoint }: CheckpointRow): TreeItem {
  const isModel = checkpoint.holds === "model";
  const item = new TreeItem(isModel ? "model" : "training state");
  item.id = id;
  item.description = checkpointText(checkpoint);
  item.iconPath = new ThemeIcon(isModel ? "package" : "save");
  item.contextValue = isModel ? `checkpoint${modelOf(stage)}` : "checkpoint:state";
  item.accessibilityInformation = { label: `${item.label} of ${stage.name}, ${item.description}` };
  return item;
}

function expertItem({ id, expert, place, parent }: ExpertRow): TreeItem {
  const item = new TreeItem(expert);
  item.id = id;
  item.description = `expert ${place + 1}`;
  item.iconPath = new ThemeIcon("circuit-board");
  item.contextValue = "expert";
  item.accessibilityInformation = { label: `Expert ${place + 1} of ${parent.stage.name}, ${expert}` };
  return item;
}
