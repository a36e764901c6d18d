import { html, type TemplateResult } from "lit";
import type { Range } from "../../server/protocol/stream.ts";
import type { ChartAxis } from "../components/chartAxes.ts";
import type { ChartLine } from "../components/chartLine.ts";
import { pointsAt } from "../components/chartOverlay.ts";

/** Number of rows, few enough to read. */
const rows = 24;

/** A chart as numbers: the recorded values nearest to evenly spaced places in the visible range. */
export function valuesTable(
  title: string,
  lines: readonly ChartLine[],
  range: Range,
  axisX: ChartAxis,
  axisY: ChartAxis,
): TemplateResult {
  const places = Array.from({ length: rows }, (_, row) => range[0] + ((range[1] - range[0]) * row) / (rows - 1));
  const read = places.map((at) => new Map(pointsAt(lines, range, at).map((reading) => [reading.id, reading])));
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Values: ${title}">
    <table class="values">
      <caption>
        ${title}
      </caption>
      <thead>
        <tr>
          <th scope="col">${axisX.title}</th>
          ${lines.map(({ label }) => html`<th scope="col" class="number">${label}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${places.map((at, row) =>
          read[row]!.size === 0
            ? ""
            : html`<tr>
                <th scope="row">${axisX.exact(at)}</th>
                ${lines.map(({ id }) => {
                  const reading = read[row]!.get(id);
                  return html`<td class="number">${reading ? axisY.exact(reading.mean ?? reading.y) : "–"}</td>`;
                })}
              </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
