import { html, type TemplateResult } from "lit";
import {
  type LayerMeasureText,
  type LayerRow,
  layerMeasureNames,
  layerMeasures,
} from "../../server/protocol/measures.ts";
import { placeNames } from "../../server/protocol/routingFiles.ts";
import { percent } from "./format.ts";

/** "1.234 of 1.39", with the largest possible value; "not recorded" if the value is missing. */
function valueText({ digits, most }: LayerMeasureText, value: number | undefined, experts: number): string {
  if (value === undefined) return "not recorded";
  return most ? `${value.toFixed(digits)} of ${most(experts).toFixed(2)}` : value.toFixed(digits);
}

/** Entropy and balance of each layer. @param saturation of each layer, and the tooltip of its column. */
export function layersTable(
  { experts, ...places }: Parameters<typeof placeNames>[0] & { experts: readonly unknown[] },
  row: LayerRow,
  saturation?: { values: readonly number[]; title: string },
): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Entropy and balance of the layers">
    <table class="values layers">
      <thead>
        <tr>
          <th scope="col" class="number">Layer</th>
          ${layerMeasureNames.map((name) => {
            const { label, formula, meaning, unit } = layerMeasures[name];
            return html`<th scope="col" class="number" title=${`${meaning} ${formula}`}>${unit ? `${label} (${unit})` : label}</th>`;
          })}
          ${saturation ? html`<th scope="col" class="number" title=${saturation.title}>Saturation</th>` : ""}
        </tr>
      </thead>
      <tbody>
        ${placeNames(places).map(
          (place, at) =>
            html`<tr>
              <th scope="row" class="number">${place}</th>
              ${layerMeasureNames.map((name) => html`<td class="number">${valueText(layerMeasures[name], row[name]?.[at], experts.length)}</td>`)}
              ${saturation ? html`<td class="number">${percent(saturation.values[at] ?? Number.NaN)}</td>` : ""}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
