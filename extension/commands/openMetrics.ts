import type { ListedRun } from "../../server/protocol/editor.ts";
import { showMetrics } from "../panels/metrics.ts";
import type { Studio } from "../studio.ts";
import { chosenRun } from "./target.ts";

/** Opens the live metrics of a run, or of all selected runs; on a stage, or a lens of stages, those first. */
export async function openMetrics(studio: Studio, argument: unknown, selection: unknown): Promise<unknown> {
  const selected = Array.isArray(selection) ? selection.flatMap(runOf) : [];
  if (selected.length > 1) {
    const each = new Map(selected.map((run) => [`${run.root}\0${run.run}`, run]));
    showMetrics(studio, [...each.values()]);
    return undefined;
  }
  const chosen = await chosenRun(studio, argument, () => true, "There is no run yet.");
  if (!chosen) return undefined;
  const { stage } = (argument ?? {}) as { stage?: string | { name?: string } };
  const name = typeof stage === "string" ? stage : stage?.name;
  showMetrics(studio, [chosen], name === undefined ? undefined : [name]);
  return undefined;
}

function runOf(row: unknown): ListedRun[] {
  const { listed } = (row ?? {}) as { listed?: ListedRun };
  return listed ? [listed] : [];
}
