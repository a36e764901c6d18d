import { window } from "vscode";
import type { Studio } from "../studio.ts";
import { lostText } from "./lostText.ts";
import { cores, starting } from "./run.ts";
import { chosenStage } from "./target.ts";

/** Does a stage of a run, and all that depends on it, again: says what is lost, removes it and goes on with the run. */
export async function rerun(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenStage(
    studio,
    argument,
    ({ state }) => state !== "waiting",
    "No stage of this run has begun.",
  );
  if (!chosen) return undefined;
  const { root, run } = chosen.run;
  const reference = { root, run, stage: chosen.stage.name };
  const { stages } = await studio.backend.request("btx/rerunLoses", reference);
  const again = "Remove and Rerun";
  const shared = stages.filter(({ otherRuns }) => otherRuns > 0).length;
  const others = shared > 0 ? `\n\nOther runs use ${shared} of them and will find the new ones.` : "";
  const detail = `Stages that are done again, and what there is of them now is removed: ${lostText(stages)}${others}`;
  const answer = await window.showWarningMessage(
    `Rerun "${reference.stage}" and what depends on it?`,
    { modal: true, detail },
    again,
  );
  if (answer !== again) return undefined;
  const keys = stages.map(({ key }) => key);
  return starting(chosen.run.name, () => studio.backend.request("btx/rerun", { ...reference, keys, ...cores() }));
}
