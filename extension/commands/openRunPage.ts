import type { ListedRun } from "../../server/protocol/editor.ts";
import type { PageName } from "../../server/protocol/page.ts";
import { showPage } from "../panels/livePages.ts";
import type { Studio } from "../studio.ts";
import { chosenRun } from "./target.ts";

/** Opens the live metrics of a run, or of all selected runs; on a stage, or a lens of stages, those first. */
export const openMetrics = (studio: Studio, argument: unknown, selection: unknown): Promise<unknown> =>
  openPage(studio, "metrics", argument, selection);

/** Opens the routing of the mixed models of a run, or of all selected runs; on a stage, of that first. */
export const openRouting = (studio: Studio, argument: unknown, selection: unknown): Promise<unknown> =>
  openPage(studio, "routing", argument, selection);

async function openPage(studio: Studio, page: PageName, argument: unknown, selection: unknown): Promise<unknown> {
  const selected = Array.isArray(selection) ? selection.flatMap(runOf) : [];
  const each = new Map(selected.map((run) => [`${run.root}\0${run.run}`, run]));
  if (each.size > 1) return show(studio, page, [...each.values()]);
  const chosen = await chosenRun(studio, argument, () => true, "There is no run yet.");
  if (!chosen) return undefined;
  const { stage } = (argument ?? {}) as { stage?: string | { name?: string } };
  const name = typeof stage === "string" ? stage : stage?.name;
  return show(studio, page, [chosen], name);
}

function show(studio: Studio, page: PageName, runs: readonly ListedRun[], stage?: string): undefined {
  const about = [...new Set(runs.map(({ name }) => name))].join(", ");
  const references = runs.map(({ root, run }) => ({ root, run }));
  showPage(studio, page, about, { runs: references, ...(stage === undefined ? {} : { stages: [stage] }) });
}

function runOf(row: unknown): ListedRun[] {
  const { listed } = (row ?? {}) as { listed?: ListedRun };
  return listed ? [listed] : [];
}
