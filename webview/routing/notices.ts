import { html, type TemplateResult } from "lit";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import type { StreamedRun } from "../../server/protocol/stream.ts";
import { gridKeyHelp } from "../components/gridKeys.ts";
import { allMeasures, measureHelp } from "../components/measureHelp.ts";
import { mapOf, type RoutingFrame } from "./frameStore.ts";
import { dominatesAbove, remarksOf, remarkText } from "./remarks.ts";

/** Maximum number of remarks in full; the rest are counted. */
const maxRemarks = 5;

/** Experts that are dead or dominate, over all domains. @param shares the frame of routed shares. */
export function remarks(model: RoutedModel, shares: RoutingFrame | undefined): TemplateResult {
  if (!shares) return html`<ul class="remarks" aria-label="Balance"></ul>`;
  const experts = model.experts.map(({ name }) => name);
  const found = remarksOf(mapOf(shares, shares.shape[0] - 1), experts.length, model.k);
  const most = dominatesAbove(experts.length, model.k);
  const more = found.length - maxRemarks;
  return html`<ul class="remarks" aria-label="Balance">
    ${found
      .slice(0, maxRemarks)
      .map((remark) => html`<li class=${remark.kind}>${remarkText(remark, experts, model.layers, most)}</li>`)}
    ${more > 0 ? html`<li>${more} more ${more === 1 ? "expert is" : "experts are"} dead or dominate layers.</li>` : ""}
    ${found.length === 0 ? html`<li>No expert is dead, and none dominates a layer.</li>` : ""}
  </ul>`;
}

/** Connection trouble, unreadable models, and the outcome of the last action. */
export function notices(
  trouble: string | undefined,
  models: readonly RoutedModel[],
  problem: string | undefined,
  notice: string,
): TemplateResult {
  return html`<div role="status" class="notices">
    ${trouble ? html`<p class="notice trouble">${trouble}</p>` : ""}
    ${models.map((model) =>
      model.problem === undefined ? "" : html`<p class="notice trouble">${model.name}: ${model.problem}</p>`,
    )}
    ${problem ? html`<p class="notice">${problem}</p>` : ""} ${notice ? html`<p class="notice">${notice}</p>` : ""}
  </div>`;
}

/** Why there is no map. */
export function nothingYet(runs: readonly StreamedRun[], models: readonly RoutedModel[]): string {
  const problems = runs.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) return problems.join(" ");
  const model = models.find((one) => one.problem === undefined);
  if (model?.every === 0) return `${model.name} has not started: routing is recorded once the models are mixed.`;
  if (model) return `${model.name} has recorded no routing yet: it does so every ${model.every} steps.`;
  return models.length > 0 ? "" : "No stage of this run trains a mixed model.";
}

/** Help on the measures and on the maps' keys. */
export function help(): TemplateResult {
  return html`${measureHelp(allMeasures)}
  <details class="help">
    <summary>Keys</summary>
    <p>In a map:</p>
    <dl>
      ${gridKeyHelp.map(([keys, does]) => html`<div><dt>${keys}</dt><dd>${does}</dd></div>`)}
    </dl>
  </details>`;
}
