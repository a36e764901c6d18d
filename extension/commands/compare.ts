import { window } from "vscode";
import type { ListedRun } from "../../server/protocol/editor.ts";
import { showPage } from "../panels/page.ts";
import type { Studio } from "../studio.ts";
import { chosenRun, runItems } from "./target.ts";

const placeHolder = "Runs to compare";

/** Compares the runs in `{runs}`, or those that the user picks. */
export async function compare(studio: Studio, argument: unknown): Promise<unknown> {
  const given = runsIn((argument as { runs?: unknown } | undefined)?.runs);
  if (given.length > 0) return comparison(studio, given);
  await studio.experiments.refresh();
  const { runs } = studio.experiments;
  if (runs.length === 0) throw new Error("There is no run to compare yet.");
  const picked = await window.showQuickPick(runItems(runs), { placeHolder, canPickMany: true, matchOnDetail: true });
  return picked && picked.length > 0
    ? comparison(
        studio,
        picked.map(({ one }) => one),
      )
    : undefined;
}

/** Compares a run with the other selected runs, or with runs that the user picks. */
export async function compareWith(studio: Studio, argument: unknown, selection: unknown): Promise<unknown> {
  const selected = runsIn(Array.isArray(selection) ? selection.map((row) => (row as { listed?: unknown }).listed) : []);
  if (selected.length > 1) return comparison(studio, selected);
  const run = await chosenRun(studio, argument, () => true, "There is no run to compare yet.");
  if (!run) return undefined;
  const others = studio.experiments.runs.filter((one) => one.run !== run.run || one.root !== run.root);
  if (others.length === 0) throw new Error("There is no other run to compare with yet.");
  const picked = await window.showQuickPick(runItems(others), { placeHolder, canPickMany: true, matchOnDetail: true });
  return picked && picked.length > 0 ? comparison(studio, [run, ...picked.map(({ one }) => one)]) : undefined;
}

/** The runs among these values, without duplicates. */
function runsIn(values: unknown): ListedRun[] {
  const isRun = (value: unknown): value is ListedRun =>
    typeof value === "object" && value !== null && "root" in value && "run" in value;
  const runs = Array.isArray(values) ? values.filter(isRun) : [];
  return [...new Map(runs.map((run) => [`${run.root}\0${run.run}`, run])).values()];
}

/** Lets the backend compare runs, shows the page, and returns its path. */
function comparison(studio: Studio, runs: readonly ListedRun[]): Thenable<string> {
  const names = [...new Set(runs.map(({ name }) => name))].join(", ");
  return window.withProgress({ location: { viewId: "btx.experiments" } }, async () => {
    const references = runs.map(({ root, run }) => ({ root, run }));
    const { page } = await studio.backend.request("btx/compareRuns", { runs: references });
    await showPage(studio, { type: "btx.comparison", path: page, title: `Comparison: ${names}` });
    return page;
  });
}
