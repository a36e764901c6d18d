import { showReport } from "../panels/report.ts";
import type { Studio } from "../studio.ts";
import { chosenRun } from "./target.ts";

/** Opens the report of a run. */
export async function openReport(studio: Studio, argument: unknown): Promise<unknown> {
  const none = "There is no report yet: a run writes one when it ends.";
  const chosen = await chosenRun(studio, argument, ({ report }) => report !== undefined, none);
  if (chosen) await showReport(studio, chosen);
  return undefined;
}
