import { basename, dirname, join } from "node:path";
import { commands, type Disposable, EventEmitter, type ExtensionContext, type Uri, workspace } from "vscode";
import { type ListedRun, listRuns, watchRuns } from "../server/protocol/editor.ts";
import type { Backend } from "./backend.ts";

const pattern = "**/*.btx.yaml";
/** More files than a person has; a search that finds more is of a folder that was not meant. */
const mostFiles = 500;

/** The experiment files of the workspace and their runs, kept up to date. */
export class Experiments {
  readonly #backend: Backend;
  readonly #onChange = new EventEmitter<void>();
  #files: Uri[] = [];
  #runs: ListedRun[] = [];
  #loading: Promise<void> | undefined;
  #again = false;

  readonly onDidChange = this.#onChange.event;

  constructor(context: ExtensionContext, backend: Backend) {
    this.#backend = backend;
    const watcher = workspace.createFileSystemWatcher(pattern, false, true, false);
    const subscriptions: Disposable[] = [
      this.#onChange,
      watcher,
      watcher.onDidCreate(() => this.refresh()),
      watcher.onDidDelete(() => this.refresh()),
      workspace.onDidChangeWorkspaceFolders(() => this.refresh()),
      workspace.onDidOpenTextDocument(({ languageId, uri }) => {
        if (languageId === "btx" && !this.#files.some(({ path }) => path === uri.path)) void this.refresh();
      }),
      backend.onDidChangeRuns(() => this.refresh()),
      backend.onDidStart(() => this.refresh()),
    ];
    context.subscriptions.push(...subscriptions);
  }

  /** Experiment files of the workspace and of open editors, by path. */
  get files(): readonly Uri[] {
    return this.#files;
  }

  /** Runs of these files, newest first. */
  get runs(): readonly ListedRun[] {
    return this.#runs;
  }

  /** Runs of one experiment file, newest first; also those from before its folder was moved. */
  runsOf(file: Uri): ListedRun[] {
    const root = join(dirname(file.fsPath), ".btx");
    const name = basename(file.fsPath);
    return this.#runs.filter((run) => run.root === root && run.file.split(/[/\\]/).at(-1) === name);
  }

  /** Reads files and runs again; what is asked for while that goes on is done once after it. */
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
      const found = await workspace.findFiles(pattern, "**/node_modules/**", mostFiles);
      // A file may be open that lies in no folder of the workspace.
      const open = workspace.textDocuments.filter(({ languageId }) => languageId === "btx").map(({ uri }) => uri);
      const byPath = new Map([...open, ...found].map((uri) => [uri.path, uri]));
      this.#files = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
      const files = this.#files.filter(({ scheme }) => scheme === "file").map(({ fsPath }) => fsPath);
      try {
        await this.#backend.notify(watchRuns, { files });
        const { runs, problems } = await this.#backend.request(listRuns, { files });
        this.#runs = runs;
        for (const problem of problems) this.#backend.log.warn(problem);
      } catch (error) {
        this.#backend.log.error(`runs could not be listed: ${error instanceof Error ? error.message : error}`);
      }
      await commands.executeCommand(
        "setContext",
        "btx.running",
        this.#runs.some(({ state }) => state === "running"),
      );
      this.#onChange.fire();
    } while (this.#again);
  }
}
