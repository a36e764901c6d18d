import { html, type TemplateResult } from "lit";
import type { OfferedRun, Range } from "../../server/protocol/stream.ts";
import type { ChartAxis } from "../components/chartAxes.ts";
import type { ChartLine } from "../components/chartLine.ts";
import { pointsAt } from "../components/chartOverlay.ts";
import type { PageState } from "./state.ts";

/** Rows of the table of values: few enough to be read. */
const rows = 24;

/** What a chart shows, in numbers: the recorded values nearest to evenly spaced places of what is seen. */
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

/** All runs that there are, to be ticked. */
export function runChooser(
  offered: readonly OfferedRun[] | undefined,
  state: PageState,
  change: (change: Partial<PageState>) => void,
  close: (() => void) | undefined,
): TemplateResult {
  const chosen = (one: OfferedRun) => state.runs.some(({ root, run }) => root === one.root && run === one.run);
  const toggle = (one: OfferedRun) => {
    const rest = state.runs.filter(({ root, run }) => root !== one.root || run !== one.run);
    change({ runs: chosen(one) ? rest : [...rest, { root: one.root, run: one.run }], range: undefined, rangesY: {} });
  };
  const colors = html`<fieldset class="colors">
    <legend>Colours stand for</legend>
    ${(["stage", "run"] as const).map(
      (by) =>
        html`<label
          ><input type="radio" name="colors" .checked=${state.colorBy === by} @change=${() => change({ colorBy: by })} />
          ${by === "stage" ? "stages, as in the tree" : "runs"}</label
        >`,
    )}
  </fieldset>`;
  return html`<section class="runs" aria-label="Runs">
    <h2>Runs</h2>
    ${offered === undefined ? html`<p role="status">Looking for runs…</p>` : ""}
    ${offered?.length === 0 ? html`<p>There is no run yet. <code>btx run FILE</code> starts one.</p>` : ""}
    <ul>
      ${offered?.map(
        (one) =>
          html`<li>
            <label>
              <input type="checkbox" .checked=${chosen(one)} @change=${() => toggle(one)} />
              <span>${one.name}</span> <span class="soft">${one.run}</span>
              <span class="state ${one.state}">${one.state}</span>
            </label>
          </li>`,
      )}
    </ul>
    ${state.runs.length > 1 ? colors : ""}
    ${close ? html`<vscode-button @click=${close}>Done</vscode-button>` : ""}
  </section>`;
}
