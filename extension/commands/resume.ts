import type { Studio } from "../studio.ts";
import { cores, starting } from "./run.ts";
import { chosenRun } from "./target.ts";

/** Goes on with a run that did not come to its end. */
export async function resume(studio: Studio, argument: unknown): Promise<unknown> {
  const unfinished = ({ state }: { state: string }) => state !== "running" && state !== "done";
  const chosen = await chosenRun(
    studio,
    argument,
    unfinished,
    "There is no run to resume: none was stopped, failed or interrupted.",
  );
  if (!chosen) return undefined;
  const asked = { root: chosen.root, run: chosen.run, ...cores() };
  const resumed = await starting(chosen.name, () => studio.backend.request("btx/resumeRun", asked));
  await studio.experiments.refresh();
  return resumed;
}
