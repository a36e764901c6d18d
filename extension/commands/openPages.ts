import { window } from "vscode";
import type { ListedRun, ListedStage } from "../../server/protocol/editor.ts";
import type { PageName } from "../../server/protocol/page.ts";
import { showPage } from "../panels/livePages.ts";
import { showReport } from "../panels/report.ts";
import type { Studio } from "../studio.ts";
import { mixedModel } from "./mixedModel.ts";
import { chosenRun } from "./target.ts";

/** Opens the live metrics of a run, or of all selected runs; called on stages, it shows those first. */
export const openMetrics = (studio: Studio, argument: unknown, selection: unknown): Promise<unknown> =>
  openPage(studio, "metrics", argument, selection);

/** Opens the routing of a run's mixed models, or of all selected runs; called on a stage, it shows that first. */
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

/** Pages about one mixed model: the expert page and the tokens page. */

interface Model {
  listed: Pick<ListedRun, "root" | "run">;
  stage: Pick<ListedStage, "name" | "key" | "experts">;
}

/** The model of the row that a command is called on, else the last one used or the one that the user picks. */
async function chosenModel(studio: Studio, argument: unknown): Promise<Model | undefined> {
  const row = (argument ?? {}) as { parent?: Partial<Model> } & Partial<Model>;
  for (const one of [row, row.parent]) {
    const { listed, stage } = one ?? {};
    if (listed && stage && typeof stage === "object" && stage.experts.length > 0) return { listed, stage };
  }
  const picked = await mixedModel(studio);
  if (!picked) return undefined;
  const { root, run, stage: name } = picked.reference;
  const stages = await studio.experiments.stagesOf({ root, run });
  const stage = stages.find((one) => one.name === name);
  return stage && { listed: { root, run }, stage };
}

const startOf = ({ listed: { root, run }, stage }: Model) => ({
  runs: [{ root, run }],
  model: { root, key: stage.key },
});

/** Shows an expert of a mixed model: its origin, its tokens, and the loss without it. */
export async function openExpert(studio: Studio, argument: unknown): Promise<unknown> {
  const model = await chosenModel(studio, argument);
  if (!model) return undefined;
  const named = ((argument ?? {}) as { expert?: unknown }).expert;
  const expert =
    typeof named === "string" ? named : await window.showQuickPick(model.stage.experts, { placeHolder: "Expert" });
  if (expert !== undefined) showPage(studio, "expert", expert, { ...startOf(model), expert });
  return undefined;
}

/** Shows where each token of a text goes in every layer; starts with the selected text. */
export async function openTokens(studio: Studio, argument: unknown): Promise<unknown> {
  const model = await chosenModel(studio, argument);
  if (!model) return undefined;
  const { selection, document } = window.activeTextEditor ?? {};
  const text = selection && document?.getText(selection).slice(0, 20_000);
  showPage(studio, "tokens", model.stage.name, { ...startOf(model), ...(text ? { text } : {}) });
  return undefined;
}

export async function openReport(studio: Studio, argument: unknown): Promise<unknown> {
  const none = "There is no report yet: a run writes its report when it ends.";
  const chosen = await chosenRun(studio, argument, ({ report }) => report !== undefined, none);
  if (chosen) await showReport(studio, chosen);
  return undefined;
}
