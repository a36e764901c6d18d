import type { ListedRun } from "../../server/protocol/editor.ts";
import type { Studio } from "../studio.ts";
import { showPage } from "./page.ts";

/** Shows a run's `report.html`. */
export async function showReport(studio: Studio, { report, name, run }: ListedRun): Promise<void> {
  if (report === undefined) throw new Error(`Run ${run} has no report yet: a run writes its report when it ends.`);
  await showPage(studio, { type: "btx.report", path: report, title: `${name}: report` });
}
