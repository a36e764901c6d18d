import { html, type TemplateResult } from "lit";
import type { LayerRow } from "../../server/protocol/routing.ts";
import { percent } from "./format.ts";

const fixed = (value: number, digits: number): string => value.toFixed(digits);

/** How sharply and how evenly each layer routes. @param saturation of each layer, and what a person is told of it. */
export function layersTable(
  { layers, experts }: { layers: readonly number[]; experts: readonly unknown[] },
  row: LayerRow,
  saturation?: { values: readonly number[]; title: string },
): TemplateResult {
  const sharpest = Math.log(experts.length);
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Entropy and balance of the layers">
    <table class="values layers">
      <thead>
        <tr>
          <th scope="col" class="number">Layer</th>
          <th scope="col" class="number" title="Mean entropy of the router's softmax; ln E = ${fixed(sharpest, 2)} nats where all experts are alike">Entropy (nats)</th>
          <th scope="col" class="number" title="Largest load over mean load; 1 where all experts get as much">Imbalance</th>
          <th scope="col" class="number" title="Standard deviation of the load over its mean">Variation</th>
          ${saturation ? html`<th scope="col" class="number" title=${saturation.title}>Saturation</th>` : ""}
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
              ${saturation ? html`<td class="number">${percent(saturation.values[at] ?? Number.NaN)}</td>` : ""}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
