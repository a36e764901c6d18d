import { type QuickPickItem, window } from "vscode";
import type { ListedRun } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";
import { stateIcon } from "../tree/states.ts";
import { runText, stageText } from "../tree/texts.ts";

type Item = QuickPickItem & { run: ListedRun; stage?: string };

/** Lists the stages that run now; the one that is picked is shown in the tree. */
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
