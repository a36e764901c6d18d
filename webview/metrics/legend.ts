import { html, type TemplateResult } from "lit";
import type { Line } from "../../server/protocol/frame.ts";
import type { Figures, Measure, Range, StreamedRun } from "../../server/protocol/stream.ts";
import type { Reading } from "../components/chartOverlay.ts";
import { chartColor, theme } from "../components/theme.ts";
import { axes, measures } from "./measures.ts";
import { runLabel, type SeriesInfo, stageLabel } from "./series.ts";
import type { PageState } from "./state.ts";

export interface LegendInput {
  state: PageState;
  runs: readonly StreamedRun[];
  series: readonly SeriesInfo[];
  measure: Measure;
  lines: ReadonlyMap<string, Line>;
  /** At the cursor, by id. */
  readings: ReadonlyMap<string, Reading>;
  selection: Range | undefined;
  figures: ReadonlyMap<string, Figures>;
}

export interface LegendActions {
  change(change: Partial<PageState>): void;
  removeRun(run: StreamedRun): void;
}

/** The stages of all runs: whether and how they are drawn, and their values. */
export function legend(input: LegendInput, actions: LegendActions): TemplateResult {
  const { state, runs, series, measure, selection } = input;
  const { label, best } = measures[measure];
  const range = selection && `${axes[state.axis].exact(selection[0])} to ${axes[state.axis].exact(selection[1])}`;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Stages and their values">
    <table class="legend">
      <caption>
        ${label}${range ? html`, selected: <strong>${range}</strong>` : ""}
      </caption>
      <thead>
        <tr>
          <th scope="col">Stage</th>
          <th scope="col">State</th>
          <th scope="col" class="number">Last</th>
          <th scope="col" class="number">${best === "high" ? "Highest" : best === "low" ? "Lowest" : "Highest"}</th>
          <th scope="col" class="number">At the cursor</th>
          ${
            selection
              ? html`<th scope="col" class="number">Mean of selection</th>
                <th scope="col" class="number">Lowest of selection</th>
                <th scope="col" class="number">Highest of selection</th>`
              : ""
          }
        </tr>
      </thead>
      ${runs.map((run) => {
        const own = series.filter((one) => one.run === run);
        return html`<tbody>
          ${runs.length > 1 || run.problem ? runRow(run, runs, selection ? 8 : 5, own.length, actions) : ""}
          ${own.map((one) => row(one, input, actions))}
        </tbody>`;
      })}
    </table>
  </div>`;
}

function runRow(
  run: StreamedRun,
  runs: readonly StreamedRun[],
  columns: number,
  stages: number,
  { removeRun }: LegendActions,
): TemplateResult {
  const shared = run.stages.length - stages;
  return html`<tr class="run">
    <th scope="rowgroup" colspan=${columns}>
      <span>${runLabel(run, runs)}</span>
      <span class="soft">${run.problem ?? `${run.state}${shared > 0 ? `, ${shared} of its stages are shared with a run above` : ""}`}</span>
      <button type="button" class="plain" aria-label="Remove run ${runLabel(run, runs)} from the charts" @click=${() => removeRun(run)}>
        Remove
      </button>
    </th>
  </tr>`;
}

function row(one: SeriesInfo, input: LegendInput, { change }: LegendActions): TemplateResult {
  const { state, measure, lines, readings, selection, figures } = input;
  const { best, exact } = measures[measure];
  const { id, stage } = one;
  const all = lines.get(id)?.figures;
  const shown = !state.hidden.includes(id);
  const toggle = () => {
    const hidden = new Set(state.hidden);
    if (shown) hidden.add(id);
    else hidden.delete(id);
    change({ hidden: [...hidden] });
  };
  const number = (value: number | undefined) =>
    html`<td class="number">${value === undefined ? "–" : exact(value)}</td>`;
  const place = best === "low" ? all?.low : all?.high;
  const selected = figures.get(id);
  const reading = readings.get(id);
  return html`<tr class=${shown ? "" : "off"}>
    <th scope="row">
      <label>
        <input type="checkbox" .checked=${shown} @change=${toggle} />
        ${swatch(one)}
        <span>${stageLabel(stage.name)}</span>
      </label>
    </th>
    <td class="state ${stage.state}" title=${stage.error ?? ""}>${stage.state}</td>
    ${number(all?.last.value)}
    <td class="number">
      ${place ? html`${exact(place.value)} <span class="soft">${axes[state.axis].exact(place.step)}</span>` : "–"}
    </td>
    <td class="number">
      ${reading ? exact(reading.y) : "–"}
      ${reading?.mean === undefined ? "" : html`<span class="soft">mean ${exact(reading.mean)}</span>`}
    </td>
    ${selection ? [selected?.mean, selected?.low.value, selected?.high.value].map(number) : ""}
  </tr>`;
}

/** A sample of a stage's line. */
export function swatch({ color, dash }: SeriesInfo): TemplateResult {
  const width = theme().highContrast ? 3 : 2;
  return html`<svg class="swatch" width="28" height="10" aria-hidden="true">
    <line x1="1" x2="27" y1="5" y2="5" stroke=${chartColor(color)} stroke-width=${width} stroke-dasharray=${dash.join(" ") || "none"}></line>
  </svg>`;
}
