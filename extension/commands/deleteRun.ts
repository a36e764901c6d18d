import { window } from "vscode";
import { bytes } from "../../server/protocol/format.ts";
import type { Studio } from "../studio.ts";
import { when } from "../tree/states.ts";
import { lostText } from "./lostText.ts";
import { chosenRun } from "./target.ts";

/** Deletes a run and, if the person wants that too, the stages that no other run uses. */
export async function deleteRun(studio: Studio, argument: unknown): Promise<unknown> {
  const atRest = ({ state }: { state: string }) => state !== "running";
  const chosen = await chosenRun(studio, argument, atRest, "There is no run that could be deleted.");
  if (!chosen) return undefined;
  const { root, run } = chosen;
  const { stages } = await studio.backend.request("btx/deleteLoses", { root, run });
  const [all, only] = ["Delete Run and Stages", "Delete Run Only"];
  const lost =
    stages.length > 0
      ? `No other run uses ${lostText(stages)}\n\nDelete them too, or keep them for later runs?`
      : "All its stages are used by other runs, or were never done: nothing else is lost.";
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
