import { basename } from "node:path";
import { type QuickPickItem, Uri, window, workspace } from "vscode";
import type { ListedRun, ListedStage } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";
import { stateIcon, when } from "../tree/states.ts";
import { stageText } from "../tree/texts.ts";

/**
 * What a command acts on. A code lens calls it with `{file, run?}`, a file menu with a Uri, a row of the tree with
 * `{file}` or `{listed}`, and the palette without arguments: then the active editor or the user decides.
 */

interface Named {
  file?: Uri;
  /** Run id. */
  run?: string;
}

function named(argument: unknown): Named {
  if (argument instanceof Uri) return { file: argument };
  if (typeof argument !== "object" || argument === null) return {};
  const { file, run, listed } = argument as Record<string, unknown>;
  if (isListed(listed)) return { run: listed.run };
  return {
    ...(file instanceof Uri ? { file } : typeof file === "string" ? { file: fileUri(file) } : {}),
    ...(typeof run === "string" ? { run } : {}),
  };
}

/** A code lens names a file by its path or its URI. */
const fileUri = (text: string): Uri => (text.startsWith("file:") ? Uri.parse(text) : Uri.file(text));

const isListed = (value: unknown): value is ListedRun =>
  typeof value === "object" && value !== null && "root" in value && "run" in value;

/** The experiment file of the active editor. */
function activeFile(): Uri | undefined {
  const document = window.activeTextEditor?.document;
  return document?.languageId === "btx" ? document.uri : undefined;
}

/** The experiment file that a command acts on; undefined if the user cancels. @throws Error if there is none. */
export async function experimentFile(studio: Studio, argument: unknown): Promise<Uri | undefined> {
  const known = named(argument).file ?? activeFile();
  if (known) return onDisk(known);
  await studio.experiments.refresh();
  const { files } = studio.experiments;
  if (files.length === 0) throw new Error("There is no experiment file (*.btx.yaml) in this workspace.");
  if (files.length === 1) return onDisk(files[0]!);
  const items = files.map((uri) => ({ label: basename(uri.path), description: workspace.asRelativePath(uri), uri }));
  const picked = await window.showQuickPick(items, { placeHolder: "Experiment file" });
  return picked && onDisk(picked.uri);
}

function onDisk(uri: Uri): Uri {
  if (uri.scheme === "file") return uri;
  throw new Error(`${basename(uri.path)} is not saved: save it in a folder first.`);
}

/**
 * The run that a command acts on, among those that `fits` accepts: the named one, the newest of the file that a lens
 * names, the only one, or the one that the user picks.
 *
 * @param none error message if no run fits. @throws Error with `none`.
 */
export async function chosenRun(
  studio: Studio,
  argument: unknown,
  fits: (run: ListedRun) => boolean,
  none: string,
): Promise<ListedRun | undefined> {
  const listed = (argument as { listed?: unknown } | undefined)?.listed;
  if (isListed(listed)) return listed;
  await studio.experiments.refresh();
  const { file, run } = named(argument);
  const ofFile = file && studio.experiments.runsOf(file);
  const fitting = (ofFile ?? studio.experiments.runs).filter(
    (one) => fits(one) && (run === undefined || one.run === run),
  );
  if (fitting.length === 0) throw new Error(none);
  if (fitting.length === 1 || run !== undefined || ofFile) return fitting[0];
  return (await window.showQuickPick(runItems(fitting), { placeHolder: "Run", matchOnDetail: true }))?.one;
}

export type RunItem = QuickPickItem & { one: ListedRun };

/** Runs as items of a list to pick from. */
export const runItems = (runs: readonly ListedRun[]): RunItem[] =>
  runs.map((one) => ({
    label: `$(${stateIcon[one.state]}) ${one.name}`,
    description: `${one.state}, ${when(one.created)}`,
    detail: `${workspace.asRelativePath(one.file)}, run ${one.run}`,
    one,
  }));

/** A stage of a run. */
export interface ChosenStage {
  run: ListedRun;
  stage: ListedStage;
}

/**
 * The stage that a command acts on: the one of a row of the tree, else the user picks one of a run's stages that
 * `fits` accepts.
 *
 * @param none error message if no stage fits. @throws Error with `none`.
 */
export async function chosenStage(
  studio: Studio,
  argument: unknown,
  fits: (stage: ListedStage) => boolean,
  none: string,
): Promise<ChosenStage | undefined> {
  const { stage } = (argument ?? {}) as { stage?: unknown };
  const run = await chosenRun(studio, argument, () => true, "There is no run yet.");
  if (!run) return undefined;
  const stages = (await studio.experiments.stagesOf(run)).filter(fits);
  if (stages.length === 0) throw new Error(none);
  const name = typeof stage === "string" ? stage : (stage as ListedStage | undefined)?.name;
  const named = stages.find((one) => one.name === name);
  if (named) return { run, stage: named };
  if (name !== undefined) throw new Error(`${none.replace(/\.$/, "")}: "${name}" does not qualify.`);
  const items = stages.map((one) => ({
    label: `$(${stateIcon[one.state]}) ${one.name}`,
    description: stageText(one),
    one,
  }));
  const picked = await window.showQuickPick(items, { placeHolder: "Stage" });
  return picked && { run, stage: picked.one };
}
