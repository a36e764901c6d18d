import { html, type TemplateResult } from "lit";
import type { ExpertFacts } from "../../server/protocol/inspect.ts";

/** Distances of weights, one row per other block and one column per layer. */
export function distancesSection({ layers, distances }: ExpertFacts): TemplateResult {
  const kinds = [
    ["Relative distance", "relative", "|a − b| / |b| of the three weights as one vector"],
    ["Cosine", "cosine", "of the same vectors; 1 if they have the same direction"],
  ] as const;
  return html`<section>
    <h2>Weights</h2>
    <div class="side">
      ${kinds.map(
        ([title, kind, meaning]) =>
          html`<div class="scroll" tabindex="0" role="group" aria-label=${title}>
            <table class="values distances">
              <caption>${title} <span class="soft">${meaning}</span></caption>
              <thead><tr><th scope="col">To</th>${layers.map((layer) => html`<th scope="col" class="number">layer ${layer}</th>`)}</tr></thead>
              <tbody>
                ${distances.map(
                  (one) =>
                    html`<tr><th scope="row">${one.is === "seed" ? `${one.to}, before` : one.to}</th>
                      ${one[kind].map((value) => html`<td class="number">${value.toFixed(3)}</td>`)}</tr>`,
                )}
              </tbody>
            </table>
          </div>`,
      )}
    </div>
  </section>`;
}

export const distanceRows = ({ layers, distances }: ExpertFacts): (string | number)[][] => [
  ["to", "is", "layer", "relative", "cosine"],
  ...distances.flatMap(({ to, is, relative, cosine }) =>
    layers.map((layer, at) => [to, is, layer, relative[at]!, cosine[at]!]),
  ),
];
