import { basename } from "node:path";
import { ProgressLocation, type QuickPickItem, type Uri, window, workspace } from "vscode";
import type { ListedRun, RunReference } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";
import { stateIcon } from "../tree/states.ts";
import { runText, stageText } from "../tree/texts.ts";
import { lostText } from "./remove.ts";
import { chosenRun, chosenStage, experimentFile } from "./target.ts";

/** Runs an experiment file and returns the run. */
export async function run(studio: Studio, argument: unknown): Promise<unknown> {
  const file = await experimentFile(studio, argument);
  return file && startRun(studio, file);
}

/** Saves and runs a file. @param stage a stage, or a section's stages, to run with the stages it depends on. */
export async function startRun(studio: Studio, file: Uri, stage?: string): Promise<RunReference> {
  await saveBeforeRun(file);
  const asked = { file: file.fsPath, ...coresSetting(), ...(stage === undefined ? {} : { stage }) };
  const run = await withStartProgress(basename(file.path), () => studio.backend.request("btx/startRun", asked));
  // The editor does not always report a new file.
  if (!studio.experiments.files.some(({ path }) => path === file.path)) void studio.experiments.refresh();
  return run;
}

/** Shows progress while a run starts: reading its texts may take a while before it appears in the tree. */
const withStartProgress = <T>(name: string, work: () => Promise<T>): Thenable<T> =>
  window.withProgress({ location: ProgressLocation.Window, title: `Starting ${name}` }, work);

/** Saves a file if it has unsaved changes and the settings ask for it. @throws Error if saving fails. */
export async function saveBeforeRun(file: Uri): Promise<void> {
  const document = workspace.textDocuments.find(({ uri }) => uri.toString() === file.toString());
  const save = workspace.getConfiguration("btx.run", file).get("saveBeforeRun", true);
  if (save && document?.isDirty && !(await document.save()))
    throw new Error(`${workspace.asRelativePath(file)} could not be saved, so it was not run.`);
}

/** The number of cores that a run may use, from the settings. */
export function coresSetting(): { cores?: number } {
  const asked = workspace.getConfiguration("btx.run").get<number | null>("cores");
  return typeof asked === "number" && Number.isInteger(asked) && asked >= 1 ? { cores: asked } : {};
}

/** Runs one stage of an experiment file and the stages it depends on. A lens names it; else the user picks one. */
export async function runStage(studio: Studio, argument: unknown): Promise<unknown> {
  const file = await experimentFile(studio, argument);
  if (!file) return undefined;
  const { stage } = (argument ?? {}) as { stage?: unknown };
  const name = typeof stage === "string" ? stage : await pickStage(studio, file.fsPath);
  return name === undefined ? undefined : startRun(studio, file, name);
}

async function pickStage(studio: Studio, file: string): Promise<string | undefined> {
  const { stages } = await studio.backend.request("btx/stageNames", { file });
  const items = stages.map(({ name, does }) => ({ label: name, description: does }));
  const placeHolder = "Stage to run, together with the stages it needs";
  return (await window.showQuickPick(items, { placeHolder, matchOnDescription: true }))?.label;
}

/** Reruns a stage and its dependents: after a warning, removes them and resumes the run. */
export async function rerun(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenStage(
    studio,
    argument,
    ({ state }) => state !== "waiting",
    "No stage of this run has started.",
  );
  if (!chosen) return undefined;
  const { root, run } = chosen.run;
  const reference = { root, run, stage: chosen.stage.name };
  const { stages } = await studio.backend.request("btx/rerunLoses", reference);
  const again = "Remove and Rerun";
  const shared = stages.filter(({ otherRuns }) => otherRuns > 0).length;
  const others = shared > 0 ? `\n\nOther runs use ${shared} of them and will use the new ones.` : "";
  const detail = `These stages are removed and run again: ${lostText(stages)}${others}`;
  const answer = await window.showWarningMessage(
    `Rerun "${reference.stage}" and what depends on it?`,
    { modal: true, detail },
    again,
  );
  if (answer !== again) return undefined;
  const keys = stages.map(({ key }) => key);
  return withStartProgress(chosen.run.name, () =>
    studio.backend.request("btx/rerun", { ...reference, keys, ...coresSetting() }),
  );
}

/** Resumes a run that did not finish. */
export async function resume(studio: Studio, argument: unknown): Promise<unknown> {
  const unfinished = ({ state }: { state: string }) => state !== "running" && state !== "done";
  const chosen = await chosenRun(
    studio,
    argument,
    unfinished,
    "There is no run to resume: no run was stopped, failed or was interrupted.",
  );
  if (!chosen) return undefined;
  const asked = { root: chosen.root, run: chosen.run, ...coresSetting() };
  const resumed = await withStartProgress(chosen.name, () => studio.backend.request("btx/resumeRun", asked));
  await studio.experiments.refresh();
  return resumed;
}

/** Asks a run to stop at its next checkpoint. */
export async function stop(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenRun(studio, argument, ({ state }) => state === "running", "No run is running.");
  if (!chosen) return undefined;
  const { root, run } = chosen;
  const answer = await studio.backend.request("btx/stopRun", { root, run });
  await studio.experiments.refresh();
  return answer;
}

type Item = QuickPickItem & { run: ListedRun; stage?: string };

/** Lists the running stages and reveals the chosen one in the tree. */
export async function showRunning(studio: Studio): Promise<unknown> {
  const items: Item[] = [];
  for (const run of studio.experiments.runs.filter(({ state }) => state === "running")) {
    const stages = studio.experiments.knownStages(run) ?? [];
    items.push({ label: `$(beaker) ${run.name}`, description: runText(run, stages), run });
    for (const stage of stages.filter(({ state }) => state === "running")) {
      const label = `$(${stateIcon.running}) ${stage.name}`;
      items.push({ label, description: stageText(stage), detail: run.name, run, stage: stage.name });
    }
  }
  if (items.length === 0) throw new Error("No run is running.");
  const picked = await window.showQuickPick(items, { placeHolder: "Running stages" });
  if (picked) await studio.tree.reveal(picked.run, picked.stage);
  return undefined;
}
