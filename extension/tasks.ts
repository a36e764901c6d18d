import { isAbsolute } from "node:path";
import {
  CustomExecution,
  Task,
  type TaskDefinition,
  TaskGroup,
  TaskScope,
  tasks,
  Uri,
  type WorkspaceFolder,
  workspace,
} from "vscode";
import { RunTerminal } from "./runTerminal.ts";
import type { Studio } from "./studio.ts";

/** Runs as VS Code tasks of the type "btx", so that tasks.json, key bindings and other tasks can start them. */

const type = "btx";
/** Problem matcher for experiment-file errors in a run's output; declared in the manifest. */
const matcher = "$btx";

export interface RunDefinition extends TaskDefinition {
  /** Experiment file, relative to the workspace folder. */
  file: string;
  /** A stage, or a section's stages, to run together with the stages it depends on. */
  stage?: string;
  randomSeed?: number;
  cores?: number;
}

export function registerTasks(studio: Studio): void {
  const provider = {
    async provideTasks() {
      // The editor does not always report a new file.
      await studio.experiments.refresh();
      return studio.experiments.files.filter(({ scheme }) => scheme === "file").map((file) => taskOf(studio, file));
    },
    resolveTask({ definition, scope, name }: Task): Task | undefined {
      if (typeof definition.file !== "string") return undefined;
      return runTask(studio, definition as RunDefinition, scope, name);
    },
  };
  studio.context.subscriptions.push(tasks.registerTaskProvider(type, provider));
}

function taskOf(studio: Studio, file: Uri): Task {
  const path = workspace.asRelativePath(file, false);
  return runTask(studio, { type, file: path }, workspace.getWorkspaceFolder(file), `run ${path}`);
}

function runTask(studio: Studio, definition: RunDefinition, scope: Task["scope"], name: string): Task {
  const folder = typeof scope === "object" ? scope : undefined;
  const execution = new CustomExecution(async (resolved) => {
    const { file, stage, randomSeed, cores } = resolved as RunDefinition;
    return new RunTerminal(studio, {
      file: fileUri(file, folder).fsPath,
      ...(stage === undefined ? {} : { stage }),
      ...(randomSeed === undefined ? {} : { randomSeed }),
      ...(cores === undefined ? {} : { cores }),
    });
  });
  const task = new Task(definition, scope ?? TaskScope.Workspace, name, type, execution, matcher);
  task.group = TaskGroup.Build;
  task.detail = "Runs the experiment; it continues when the terminal is closed";
  return task;
}

function fileUri(path: string, folder: WorkspaceFolder | undefined): Uri {
  if (isAbsolute(path)) return Uri.file(path);
  const base = folder ?? workspace.workspaceFolders?.[0];
  if (!base) throw new Error(`${path} is relative, and no folder is open.`);
  return Uri.joinPath(base.uri, path);
}
