import {
  EventEmitter,
  type ExtensionContext,
  type TreeDataProvider,
  type TreeItem,
  type TreeView,
  window,
} from "vscode";
import type { ListedRun } from "../../server/protocol/editor.ts";
import type { Experiments } from "../experiments.ts";
import { RunDragging } from "./dragging.ts";
import { Expansion } from "./expansion.ts";
import { tooltip, treeItem } from "./items.ts";
import { type Row, Rows, type RunRow, type StageRow } from "./rows.ts";

/** The "Experiments" view: a tree of experiment files, runs, stages, checkpoints and experts. */
export class ExperimentsTree implements TreeDataProvider<Row> {
  readonly view: TreeView<Row>;
  readonly #experiments: Experiments;
  readonly #rows = new Rows();
  readonly #expansion: Expansion;
  readonly #onChange = new EventEmitter<Row | undefined>();
  readonly onDidChangeTreeData = this.#onChange.event;

  constructor(context: ExtensionContext, experiments: Experiments) {
    this.#experiments = experiments;
    this.#expansion = new Expansion(context.workspaceState);
    this.view = window.createTreeView("btx.experiments", {
      treeDataProvider: this,
      dragAndDropController: new RunDragging(experiments),
      canSelectMany: true,
      showCollapseAll: true,
    });
    context.subscriptions.push(
      this.#onChange,
      this.view,
      // The editor misses file changes when the system runs out of watchers.
      this.view.onDidChangeVisibility(({ visible }) => {
        if (visible) void experiments.refresh();
      }),
      this.view.onDidExpandElement(({ element }) => this.#expansion.set(element.id, true)),
      this.view.onDidCollapseElement(({ element }) => this.#expansion.set(element.id, false)),
      experiments.onDidChange(() => this.#runsChanged()),
      experiments.onDidChangeStages((run) => this.#stagesChanged(run)),
    );
  }

  async getChildren(row?: Row): Promise<Row[]> {
    const experiments = this.#experiments;
    switch (row?.type) {
      case undefined:
        return [
          ...experiments.files.map((file) => this.#rows.file(file, false)),
          ...experiments.missingFiles.map((file) => this.#rows.file(file, true)),
        ];
      case "file":
        return experiments.runsOf(row.file).map((run) => this.#rows.run(row, run));
      case "run":
        return (await experiments.stagesOf(row.listed)).map((stage) => this.#rows.stage(row, stage));
      case "stage":
        return [
          ...row.stage.checkpoints.map((checkpoint) => this.#rows.checkpoint(row, checkpoint)),
          ...row.stage.experts.map((expert, place) => this.#rows.expert(row, expert, place)),
        ];
      default:
        return [];
    }
  }

  getTreeItem(row: Row): TreeItem {
    return this.#expansion.apply(row.id, treeItem(row, this.#experiments));
  }

  resolveTreeItem(item: TreeItem, row: Row): TreeItem {
    const text = tooltip(row, this.#experiments);
    if (text) item.tooltip = text;
    return item;
  }

  getParent(row: Row): Row | undefined {
    return row.type === "file" ? undefined : row.parent;
  }

  async rowOf(run: ListedRun): Promise<RunRow | undefined> {
    for (const file of await this.getChildren()) {
      const rows = await this.getChildren(file);
      const found = rows.find(
        (row) => row.type === "run" && row.listed.root === run.root && row.listed.run === run.run,
      );
      if (found?.type === "run") return found;
    }
    return undefined;
  }

  /** Reveals a run, or one of its stages, in the view and focuses it. */
  async reveal(run: ListedRun, stage?: string): Promise<void> {
    const runRow = await this.rowOf(run);
    if (!runRow) return;
    const stages = stage === undefined ? [] : await this.getChildren(runRow);
    const row = stages.find((one): one is StageRow => one.type === "stage" && one.stage.name === stage) ?? runRow;
    await this.view.reveal(row, { select: true, focus: true, expand: row === runRow });
  }

  #runsChanged(): void {
    this.#rows.keepRuns(this.#experiments.runs);
    const running = this.#experiments.runs.filter(({ state }) => state === "running").length;
    this.view.badge =
      running > 0
        ? { value: running, tooltip: running === 1 ? "1 run is running" : `${running} runs are running` }
        : undefined;
    this.#onChange.fire(undefined);
  }

  /** Updates the row of a run, which shows its progress, and the stages below it. */
  #stagesChanged(run: ListedRun): void {
    const row = this.#rows.ofRun(run);
    if (row) this.#onChange.fire(row);
  }
}
