import { dirname } from "node:path";
import { ProgressLocation, type QuickPickItem, window, workspace } from "vscode";
import type { LostStage } from "../../server/protocol/editor.ts";
import { bytes, duration } from "../../server/protocol/format.ts";
import type { Studio } from "../studio.ts";
import { when } from "../tree/states.ts";
import { countText } from "../tree/texts.ts";
import { lostText } from "./lostText.ts";

type Item = QuickPickItem & { root: string; stage: LostStage };

/** Removes stages that no run uses: lists them with their sizes, and removes those that the person leaves checked. */
export async function cleanStages(studio: Studio): Promise<unknown> {
  const items: Item[] = [];
  await studio.experiments.refresh();
  for (const root of studio.experiments.runFolders) {
    const { stages } = await studio.backend.request("btx/unusedStages", { root });
    items.push(...stages.filter(({ locked }) => !locked).map((stage) => item(root, stage)));
  }
  if (items.length === 0) {
    void window.showInformationMessage("There are no unused stages: each is used by a run.");
    return undefined;
  }
  const chosen = await window.showQuickPick(items, {
    canPickMany: true,
    title: "Stages that no run uses",
    placeHolder: "Stages to remove",
    matchOnDescription: true,
  });
  if (!chosen || chosen.length === 0) return undefined;
  const detail = `${lostText(chosen.map(({ stage }) => stage))}\n\nAn experiment that needs one of them later does its work again.`;
  const remove = "Remove";
  const message = `Remove ${countText(chosen.length, "stage")} that nothing uses?`;
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
  const last = finished === undefined ? "" : `, last worked on ${when(finished)}`;
  return {
    label: name,
    description: `${bytes(size)}, ${duration(seconds)} of work${last}`,
    detail: `${workspace.asRelativePath(dirname(root))}, ${key}`,
    picked: true,
    root,
    stage,
  };
}
