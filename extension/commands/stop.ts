import type { Studio } from "../studio.ts";
import { chosenRun } from "./target.ts";

/** Asks a run to stop after a checkpoint. */
export async function stop(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenRun(studio, argument, ({ state }) => state === "running", "No run is running.");
  if (!chosen) return undefined;
  const { root, run } = chosen;
  const answer = await studio.backend.request("btx/stopRun", { root, run });
  await studio.experiments.refresh();
  return answer;
}
