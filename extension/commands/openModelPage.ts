import { window } from "vscode";
import type { ListedRun, ListedStage } from "../../server/protocol/editor.ts";
import { showPage } from "../panels/livePages.ts";
import type { Studio } from "../studio.ts";
import { mixedModel } from "./mixedModel.ts";

/** Pages about one mixed model: of one of its experts, and of a text. */

interface Model {
  listed: Pick<ListedRun, "root" | "run">;
  stage: Pick<ListedStage, "name" | "key" | "experts">;
}

/** A row of an expert or of a mixed model, or the model that is remembered or picked. */
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

/** Shows what an expert of a mixed model is like: where it comes from, what goes to it, what is lost without it. */
export async function openExpert(studio: Studio, argument: unknown): Promise<unknown> {
  const model = await chosenModel(studio, argument);
  if (!model) return undefined;
  const named = ((argument ?? {}) as { expert?: unknown }).expert;
  const expert =
    typeof named === "string" ? named : await window.showQuickPick(model.stage.experts, { placeHolder: "Expert" });
  if (expert !== undefined) showPage(studio, "expert", expert, { ...startOf(model), expert });
  return undefined;
}

/** Shows where each token of a text goes, in every layer; first of the text that is selected. */
export async function openTokens(studio: Studio, argument: unknown): Promise<unknown> {
  const model = await chosenModel(studio, argument);
  if (!model) return undefined;
  const { selection, document } = window.activeTextEditor ?? {};
  const text = selection && document?.getText(selection).slice(0, 20_000);
  showPage(studio, "tokens", model.stage.name, { ...startOf(model), ...(text ? { text } : {}) });
  return undefined;
}
