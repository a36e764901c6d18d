import { dirname } from "node:path";
import { ProgressLocation, type QuickPickItem, window, workspace } from "vscode";
import type { LostStage } from "../../server/protocol/editor.ts";
import { bytes, duration } from "../../server/protocol/format.ts";
import type { Studio } from "../studio.ts";
import { when } from "../tree/states.ts";
import { countText } from "../tree/texts.ts";
import { chosenRun } from "./target.ts";

/** Deletes a run and, if the user agrees, the stages that no other run uses. */
export async function deleteRun(studio: Studio, argument: unknown): Promise<unknown> {
  const atRest = ({ state }: { state: string }) => state !== "running";
  const chosen = await chosenRun(studio, argument, atRest, "There is no run that can be deleted.");
  if (!chosen) return undefined;
  const { root, run } = chosen;
  const { stages } = await studio.backend.request("btx/deleteLoses", { root, run });
  const [all, only] = ["Delete Run and Stages", "Delete Run Only"];
  const lost =
    stages.length > 0
      ? `No other run uses ${lostText(stages)}\n\nDelete them too, or keep them for later runs?`
      : "All its stages are used by other runs or were never run, so nothing else is lost.";
  const answer = await window.showWarningMessage(
    `Delete the run of ${chosen.name} from ${when(chosen.created)}?`,
    { modal: true, detail: lost },
    ...(stages.length > 0 ? [all, only] : [only]),
  );
  if (answer === undefined) return undefined;
  const keys = answer === all ? stages.map(({ key }) => key) : [];
  return window.withProgress({ location: { viewId: "btx.experiments" } }, async () => {
    const removed = await studio.backend.request("btx/deleteRun", { root, run, keys });
    if (removed.kept.length > 0) throw new Error(`The run was deleted; ${removed.kept.join("; ")}.`);
    window.setStatusBarMessage(`Run deleted, ${bytes(removed.bytes)} of stages`, 5000);
    return removed;
  });
}

type Item = QuickPickItem & { root: string; stage: LostStage };

/** Lists the stages that no run uses, with their sizes, and removes those that the user leaves checked. */
export async function cleanStages(studio: Studio): Promise<unknown> {
  const items: Item[] = [];
  await studio.experiments.refresh();
  for (const root of studio.experiments.runFolders) {
    const { stages } = await studio.backend.request("btx/unusedStages", { root });
    items.push(...stages.filter(({ locked }) => !locked).map((stage) => item(root, stage)));
  }
  if (items.length === 0) {
    void window.showInformationMessage("There are no unused stages: every stage is used by a run.");
    return undefined;
  }
  const chosen = await window.showQuickPick(items, {
    canPickMany: true,
    title: "Stages that no run uses",
    placeHolder: "Stages to remove",
    matchOnDescription: true,
  });
  if (!chosen || chosen.length === 0) return undefined;
  const detail = `${lostText(chosen.map(({ stage }) => stage))}\n\nAn experiment that needs one of them later runs it again.`;
  const remove = "Remove";
  const message = `Remove ${countText(chosen.length, "stage")} that no run uses?`;
  if ((await window.showWarningMessage(message, { modal: true, detail }, remove)) !== remove) return undefined;
  return window.withProgress({ location: ProgressLocation.Notification, title: "Removing stages" }, async () => {
    const all = { stages: 0, bytes: 0, kept: [] as string[] };
    for (const root of new Set(chosen.map((one) => one.root))) {
      const keys = chosen.filter((one) => one.root === root).map(({ stage }) => stage.key);
      const removed = await studio.backend.request("btx/cleanStages", { root, keys });
      all.stages += removed.stages;
      all.bytes += removed.bytes;
      all.kept.push(...removed.kept);
    }
    const left = all.kept.map((why) => ` ${why}.`).join("");
    void window.showInformationMessage(`${countText(all.stages, "stage")} removed, ${bytes(all.bytes)}.${left}`);
    return all;
  });
}

function item(root: string, stage: LostStage): Item {
  const { key, name, bytes: size, seconds, finished } = stage;
  const last = finished === undefined ? "" : `, finished ${when(finished)}`;
  return {
    label: name,
    description: `${bytes(size)}, ${duration(seconds)} of work${last}`,
    detail: `${workspace.asRelativePath(dirname(root))}, ${key}`,
    picked: true,
    root,
    stage,
  };
}

/** Maximum number of names listed. */
const maxNames = 12;

/** "3 stages, 12.3 MB, 2h 03m of work: seed, expert:code and expert:math." */
export function lostText(stages: readonly LostStage[]): string {
  if (stages.length === 0) return "none.";
  const size = stages.reduce((sum, stage) => sum + stage.bytes, 0);
  const seconds = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const names = stages.slice(0, maxNames).map(({ name }) => name);
  const more = stages.length > maxNames ? ` and ${stages.length - maxNames} more` : "";
  const count = stages.length === 1 ? "1 stage" : `${stages.length} stages`;
  return `${count}, ${bytes(size)}, ${duration(seconds)} of work: ${names.join(", ")}${more}.`;
}
