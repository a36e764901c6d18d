import { basename, dirname, join } from "node:path";
import { commands, type Disposable, EventEmitter, type ExtensionContext, Uri, window, workspace } from "vscode";
import type { BackendNotificationParams, ListedRun, ListedStage, RunReference } from "../server/protocol/editor.ts";
import type { Backend } from "./backend.ts";

const pattern = "**/*.btx.yaml";
/** Maximum number of experiment files; a search that finds more runs in the wrong folder. */
const maxFiles = 500;

/** One key per run; no path contains the separator. */
const idOf = ({ root, run }: RunReference): string => `${root}\0${run}`;

/** Name of an experiment file, from a path that another operating system may have written. */
const nameIn = (path: string): string => path.split(/[/\\]/).at(-1) ?? path;

/** The experiment files of the workspace, their runs and the runs' stages, as the backend reports them. */
export class Experiments {
  readonly #backend: Backend;
  readonly #onChange = new EventEmitter<void>();
  readonly #onStages = new EventEmitter<ListedRun>();
  #files: Uri[] = [];
  #runs = new Map<string, ListedRun>();
  readonly #stages = new Map<string, readonly ListedStage[]>();
  #loading: Promise<void> | undefined;
  #again = false;

  /** Files or runs changed. */
  readonly onDidChange = this.#onChange.event;
  /** Stages of this run changed. */
  readonly onDidChangeStages = this.#onStages.event;

  constructor(context: ExtensionContext, backend: Backend) {
    this.#backend = backend;
    const watcher = workspace.createFileSystemWatcher(pattern, false, true, false);
    const subscriptions: Disposable[] = [
      this.#onChange,
      this.#onStages,
      watcher,
      watcher.onDidCreate(() => this.refresh()),
      watcher.onDidDelete(() => this.refresh()),
      workspace.onDidChangeWorkspaceFolders(() => this.refresh()),
      window.onDidChangeWindowState(({ focused }) => {
        if (focused) void this.refresh();
      }),
      workspace.onDidOpenTextDocument(({ languageId, uri }) => {
        if (languageId === "btx" && !this.#files.some(({ path }) => path === uri.path)) void this.refresh();
      }),
      backend.onNotification("btx/runsChanged", (changed) => this.#changeRuns(changed)),
      backend.onNotification("btx/stagesChanged", (changed) => this.#changeStages(changed)),
      backend.onDidStart(() => {
        // The new backend does not know which stages the old one reported.
        this.#stages.clear();
        void this.refresh();
      }),
    ];
    context.subscriptions.push(...subscriptions);
  }

  /** Experiment files of the workspace and of open editors, by path. */
  get files(): readonly Uri[] {
    return this.#files;
  }

  /** The run folders next to these files. */
  get runFolders(): string[] {
    const files = this.#files.filter(({ scheme }) => scheme === "file");
    return [...new Set(files.map(({ fsPath }) => join(dirname(fsPath), ".btx")))];
  }

  /** Runs of these files, newest first. */
  get runs(): readonly ListedRun[] {
    return [...this.#runs.values()];
  }

  /** Runs of one experiment file, newest first, including runs from before its folder was moved. */
  runsOf(file: Uri): ListedRun[] {
    const root = join(dirname(file.fsPath), ".btx");
    const name = basename(file.fsPath);
    return this.runs.filter((run) => run.root === root && nameIn(run.file) === name);
  }

  /** Experiment files that have runs but no longer exist. */
  get missingFiles(): Uri[] {
    const known = new Set(this.#files.map(({ fsPath }) => fsPath));
    const paths = this.runs.map((run) => join(dirname(run.root), nameIn(run.file)));
    return [...new Set(paths)].filter((path) => !known.has(path)).map((path) => Uri.file(path));
  }

  /** The stages of a run known so far. */
  knownStages(run: RunReference): readonly ListedStage[] | undefined {
    return this.#stages.get(idOf(run));
  }

  /** The stages of a run; the backend reports changes to them from now on. @throws Error if the run is unreadable. */
  async stagesOf({ root, run }: RunReference): Promise<readonly ListedStage[]> {
    const known = this.#stages.get(idOf({ root, run }));
    if (known) return known;
    const { stages } = await this.#backend.request("btx/listStages", { root, run });
    this.#stages.set(idOf({ root, run }), stages);
    return stages;
  }

  /** Rereads files and runs; calls made meanwhile are merged into one refresh afterwards. */
  refresh(): Promise<void> {
    if (this.#loading) this.#again = true;
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #load(): Promise<void> {
    do {
      this.#again = false;
      const found = await workspace.findFiles(pattern, "**/node_modules/**", maxFiles);
      // An open file may lie outside the workspace.
      const open = workspace.textDocuments.filter(({ languageId }) => languageId === "btx").map(({ uri }) => uri);
      const byPath = new Map([...open, ...found].map((uri) => [uri.path, uri]));
      this.#files = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
      const files = this.#files.filter(({ scheme }) => scheme === "file").map(({ fsPath }) => fsPath);
      try {
        const { runs, problems } = await this.#backend.request("btx/watchRuns", { files });
        this.#runs = new Map(runs.map((run) => [idOf(run), run]));
        for (const problem of problems) this.#backend.log.warn(problem);
      } catch (error) {
        this.#backend.log.error(`listing runs failed: ${error instanceof Error ? error.message : error}`);
      }
      this.#changed();
    } while (this.#again);
  }

  #changeRuns({ runs, removed, problems }: BackendNotificationParams<"btx/runsChanged">): void {
    for (const problem of problems) this.#backend.log.warn(problem);
    for (const run of removed) {
      this.#runs.delete(idOf(run));
      this.#stages.delete(idOf(run));
    }
    for (const run of runs) this.#runs.set(idOf(run), run);
    const newestFirst = [...this.#runs].sort(([, a], [, b]) => (a.created < b.created ? 1 : -1));
    this.#runs = new Map(newestFirst);
    this.#changed();
  }

  #changeStages({ root, run, all, stages }: BackendNotificationParams<"btx/stagesChanged">): void {
    const id = idOf({ root, run });
    const before = this.#stages.get(id);
    const changed = new Map(stages.map((stage) => [stage.name, stage]));
    // Changes are useless without the previous state; stages are requested when shown.
    if (!all && !before) return;
    this.#stages.set(id, all ? stages : before!.map((stage) => changed.get(stage.name) ?? stage));
    const listed = this.#runs.get(id);
    if (listed) this.#onStages.fire(listed);
  }

  #changed(): void {
    const set = (key: string, value: boolean) => void commands.executeCommand("setContext", key, value);
    set(
      "btx.running",
      this.runs.some(({ state }) => state === "running"),
    );
    set(
      "btx.resumable",
      this.runs.some(({ state }) => state !== "running" && state !== "done"),
    );
    set("btx.hasRuns", this.#runs.size > 0);
    set("btx.hasFiles", this.#files.length > 0);
    this.#onChange.fire();
  }
}
