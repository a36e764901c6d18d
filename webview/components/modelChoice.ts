import { html, type TemplateResult } from "lit";
import { maxModels, type RoutedModel } from "../../server/protocol/routing.ts";
import { mixedKinds } from "../../server/protocol/stageKinds.ts";
import type { StageReference, StreamedRun } from "../../server/protocol/stream.ts";

/** The choice of a mixed model. */

export const modelId = ({ root, key }: { root: string; key: string }): string => `${root}\n${key}`;
export function modelReference(id: string): StageReference {
  const [root = "", key = ""] = id.split("\n");
  return { root, key };
}

/** The mixed models of runs without duplicates, at most as many as a page may show. */
export function mixedModels(runs: readonly StreamedRun[]): StageReference[] {
  const found = new Map<string, StageReference>();
  for (const wanted of mixedKinds)
    for (const { root, stages, mixes } of runs)
      for (const { key, kind } of [...stages, ...mixes])
        if (kind === wanted) found.set(modelId({ root, key }), { root, key });
  return [...found.values()].slice(0, maxModels);
}

/** "finetune", or "finetune of demo" if the models are of several runs; runs of equal name are named by their ids. */
export function modelName(model: RoutedModel, models: readonly RoutedModel[], runs: readonly StreamedRun[]): string {
  if (models.every(({ run, root }) => run === model.run && root === model.root)) return model.name;
  const named = runs.find(({ root, run }) => root === model.root && run === model.run);
  const same = named && runs.some((run) => run !== named && run.name === named.name);
  return `${model.name} of ${named && !same ? named.name : model.run}`;
}

export const option = (value: string, text: string, chosen: boolean): TemplateResult =>
  html`<option value=${value} .selected=${chosen}>${text}</option>`;

export function select(label: string, options: TemplateResult[], choose: (value: string) => void): TemplateResult {
  return html`<label class="group"
    ><span class="caption">${label}</span>
    <select aria-label=${label} @change=${(event: Event) => choose((event.currentTarget as HTMLSelectElement).value)}>
      ${options}
    </select></label
  >`;
}
