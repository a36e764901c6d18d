import { type QuickPickItem, window } from "vscode";
import type { ListedRun, ListedStage, StageReference } from "../../server/protocol/editor.ts";
import type { MixedModel } from "../routing/routing.ts";
import type { Studio } from "../studio.ts";
import { hasModel, when } from "../tree/states.ts";

/** The mixed models of the workspace's runs; remembers the chosen one. */

const key = "btx.routing.model";

type ModelItem = QuickPickItem & { model: MixedModel };

const isSame = (a: StageReference, b: StageReference): boolean =>
  a.root === b.root && a.run === b.run && a.stage === b.stage;

/** Newest run first; within a run the finetuned mixture first, then the latest stages. */
async function modelItems({ experiments }: Studio, fits: (stage: ListedStage) => boolean): Promise<ModelItem[]> {
  await experiments.refresh();
  const ofRun = async (run: ListedRun): Promise<ModelItem[]> => {
    // A run that cannot be read has no models.
    const stages = await experiments.stagesOf(run).catch(() => []);
    const mixed = stages
      .filter((stage) => stage.experts.length > 0 && hasModel(stage) && fits(stage))
      .toReversed()
      .sort((a, b) => Number(b.kind === "finetune") - Number(a.kind === "finetune"));
    return mixed.map((stage) => ({
      label: `${stage.name} of ${run.name}`,
      description: when(run.created),
      detail: stage.experts.join(", "),
      model: {
        reference: { root: run.root, run: run.run, stage: stage.name },
        name: `${stage.name} of ${run.name}`,
      },
    }));
  };
  return (await Promise.all(experiments.runs.map(ofRun))).flat();
}

/**
 * The mixed model to route with: the last one used if it still exists, else the only one or the user's pick; always
 * the user's pick with `ask`. Undefined if the user picks none.
 *
 * @param fits whether to offer a stage. @throws Error if no stage fits.
 */
export async function mixedModel(
  studio: Studio,
  ask = false,
  fits: (stage: ListedStage) => boolean = () => true,
): Promise<MixedModel | undefined> {
  const items = await modelItems(studio, fits);
  if (items.length === 0)
    throw new Error("No run in this workspace has a mixed model yet: finish running an experiment first.");
  const state = studio.context.workspaceState;
  const before = state.get<StageReference>(key);
  const remembered = before && items.find(({ model }) => isSame(model.reference, before));
  if (remembered && !ask) return remembered.model;
  const options = { placeHolder: "Model whose experts colour the text", matchOnDetail: true };
  const picked = items.length === 1 && !ask ? items[0] : await window.showQuickPick(items, options);
  if (picked) await state.update(key, picked.model.reference);
  return picked?.model;
}
