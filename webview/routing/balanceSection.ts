import { html, type TemplateResult } from "lit";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import type { Answer } from "../answer.ts";
import { layersTable } from "../components/layersTable.ts";
import { domainName } from "./labels.ts";
import type { LayerRows, Saturation } from "./routingData.ts";

/** Entropy and balance of each layer, and how far its router has moved since the mix. */

/** @param domain index, or `allDomains`. */
export function balanceSection(
  model: RoutedModel,
  rows: LayerRows | undefined,
  domain: number,
  when: string,
  saturation: Answer<Saturation> | undefined,
  actions: { measure(): void; cancel(): void },
): TemplateResult | "" {
  const row = rows?.[domain < 0 ? rows.length - 1 : domain];
  if (!row) return "";
  const { domains } = model;
  const place = domain < 0 ? domains.length : domain;
  return html`<figure class="balance">
    <figcaption>Layers, ${domainName(model, domain)} <span class="soft">${when}</span></figcaption>
    ${layersTable(
      model,
      row,
      saturation?.value && {
        values: saturation.value.saturation.map((values) => values[place] ?? Number.NaN),
        title: `Share of a token's experts that are the same as in ${model.from}, on held-out text (OLMoE, arXiv 2409.02060)`,
      },
    )}
    ${measuring(model, saturation, actions)}
  </figure>`;
}

function measuring(
  { from, state }: RoutedModel,
  saturation: Answer<Saturation> | undefined,
  { measure, cancel }: { measure(): void; cancel(): void },
): TemplateResult | "" {
  if (from === undefined || state !== "done" || saturation?.value) return "";
  if (saturation?.progress) {
    const { done, total } = saturation.progress;
    return html`<p class="measuring" role="status">
      <progress aria-label="Measuring saturation" max=${total || 1} value=${done}></progress>
      <button type="button" class="button" @click=${cancel}>Cancel</button>
    </p>`;
  }
  return html`<p class="measuring">
    ${saturation?.problem ? html`<span role="alert">${saturation.problem}</span>` : ""}
    <button type="button" class="button" @click=${measure} title="How many of each held-out token's experts are still those that ${from} chose">
      Measure saturation since ${from}
    </button>
  </p>`;
}
