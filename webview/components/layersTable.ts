import { html, type TemplateResult } from "lit";
import { type MeasureText, otherMeasures } from "../../server/protocol/measures.ts";
import type { LayerRow } from "../../server/protocol/routing.ts";
import { percent } from "./format.ts";

const { entropy, imbalance, variation } = otherMeasures;
const told = ({ formula, meaning }: MeasureText): string => `${meaning} ${formula}`;
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
          <th scope="col" class="number" title=${told(entropy)}>${entropy.label} (nats)</th>
          <th scope="col" class="number" title=${told(imbalance)}>${imbalance.label}</th>
          <th scope="col" class="number" title=${told(variation)}>${variation.label}</th>
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
