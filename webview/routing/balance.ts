import { html, type TemplateResult } from "lit";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { domainName, percent } from "./looks.ts";
import type { LayerRows } from "./model.ts";
import type { SaturationAnswer } from "./saturation.ts";

/** How sharply and how evenly each layer routes, and how far its router has moved since the models were mixed. */

const fixed = (value: number, digits: number): string => value.toFixed(digits);

/** @param domain a place among the domains, or `allDomains`. */
export function balanceSection(
  model: RoutedModel,
  rows: LayerRows | undefined,
  domain: number,
  when: string,
  saturation: SaturationAnswer | undefined,
  actions: { measure(): void; cancel(): void },
): TemplateResult | "" {
  const row = rows?.[domain < 0 ? rows.length - 1 : domain];
  if (!row) return "";
  const { experts, layers, domains } = model;
  const sharpest = Math.log(experts.length);
  const place = domain < 0 ? domains.length : domain;
  return html`<figure class="balance">
    <figcaption>Layers, ${domainName(model, domain)} <span class="soft">${when}</span></figcaption>
    <div class="scroll" tabindex="0" role="group" aria-label="Entropy and balance of the layers">
      <table class="values layers">
        <thead>
          <tr>
            <th scope="col" class="number">Layer</th>
            <th scope="col" class="number" title="Mean entropy of the router's softmax; ln E = ${fixed(sharpest, 2)} nats where all experts are alike">Entropy (nats)</th>
            <th scope="col" class="number" title="Largest load over mean load; 1 where all experts get as much">Imbalance</th>
            <th scope="col" class="number" title="Standard deviation of the load over its mean">Variation</th>
            ${
              saturation?.values
                ? html`<th scope="col" class="number" title="Share of a token's experts that are the same as in ${model.from}, on held-out text (OLMoE, arXiv 2409.02060)">Saturation</th>`
                : ""
            }
          </tr>
        </thead>
        <tbody>
          ${layers.map(
            (layer, at) =>
              html`<tr>
                <th scope="row" class="number">${layer}</th>
                <td class="number">${row.entropy ? `${fixed(row.entropy[at]!, 3)} of ${fixed(sharpest, 2)}` : "not recorded"}</td>
                <td class="number">${fixed(row.imbalance[at]!, 2)}</td>
                <td class="number">${fixed(row.variation[at]!, 2)}</td>
                ${saturation?.values ? html`<td class="number">${percent(saturation.values[at]?.[place] ?? Number.NaN)}</td>` : ""}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${measuring(model, saturation, actions)}
  </figure>`;
}

function measuring(
  { from, state }: RoutedModel,
  saturation: SaturationAnswer | undefined,
  { measure, cancel }: { measure(): void; cancel(): void },
): TemplateResult | "" {
  if (from === undefined || state !== "done" || saturation?.values) return "";
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
