import { Uri, window } from "vscode";
import type { Studio } from "../studio.ts";
import { hasModel } from "../tree/states.ts";
import { chosenStage } from "./target.ts";

/** Copies the experiment of a run, with one of its models as the seed, and opens the copy. */
export async function fork(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenStage(
    studio,
    argument,
    (stage) => hasModel(stage) && stage.experts.length === 0,
    "This run has no dense model yet that could be a seed.",
  );
  if (!chosen) return undefined;
  const { root, run } = chosen.run;
  const { file } = await studio.backend.request("btx/forkRun", { root, run, stage: chosen.stage.name });
  await window.showTextDocument(Uri.file(file));
  return file;
}
