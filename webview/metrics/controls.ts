import "@vscode-elements/elements/dist/vscode-button/index.js";
import "@vscode-elements/elements/dist/vscode-checkbox/index.js";
import { html, type TemplateResult } from "lit";
import { axisSchema, type Measure, measureSchema } from "../../server/protocol/stream.ts";
import { count } from "../components/format.ts";
import type { FigureKind } from "../components/saveFigure.ts";
import { exportButtons, radioButtons, selectBox, tableAndRuns } from "../components/toolbar.ts";
import { axes, measures } from "./measures.ts";
import { type PageState, smoothings } from "./state.ts";

/** The controls above the charts. */

export interface ControlActions {
  change(change: Partial<PageState>): void;
  showAll(): void;
  save(kind: FigureKind): void;
  chooseRuns(): void;
}

/** @param recorded measures that at least one stage has. */
export function controls(state: PageState, recorded: ReadonlySet<Measure>, actions: ControlActions): TemplateResult {
  const { change } = actions;
  return html`<div class="controls" role="toolbar" aria-label="Charts">
    ${axisChoice(state, change)}
    <vscode-checkbox
      label="All stages from 0"
      .checked=${state.fromZero}
      @change=${(event: Event) => change({ fromZero: isChecked(event), range: undefined })}
    ></vscode-checkbox>
    <vscode-checkbox
      label="Log scale"
      .checked=${state.log}
      @change=${(event: Event) => change({ log: isChecked(event), rangesY: {} })}
    ></vscode-checkbox>
    ${smoothingChoice(state, change)} ${radioButtons("Drag to", modes, state.mode, (mode) => change({ mode }), "Dragging over a chart")}
    <span class="group">
      <vscode-button secondary @click=${actions.showAll}>Show all</vscode-button>
      ${tableAndRuns(state.table, () => change({ table: !state.table }), actions.chooseRuns)}
    </span>
    ${exportButtons(actions.save)} ${measureChoice(state, recorded, change)}
  </div>`;
}

const isChecked = (event: Event): boolean => (event.currentTarget as unknown as { checked: boolean }).checked;

type Change = ControlActions["change"];

function axisChoice({ axis }: PageState, change: Change): TemplateResult {
  const options = axisSchema.options.map((one) => [one, axes[one].label] as const);
  // A range of one axis means nothing on another.
  return selectBox("x axis", options, axis, (chosen) => change({ axis: chosen, range: undefined }), "axis");
}

function smoothingChoice({ smoothing }: PageState, change: Change): TemplateResult {
  const place = smoothings.findLastIndex((one) => one <= smoothing);
  const text = smoothing === 1 ? "off" : `mean of ${count(smoothing)} steps`;
  return html`<label class="group">
    <span class="caption">Smoothing</span>
    <input
      type="range"
      min="0"
      max=${smoothings.length - 1}
      step="1"
      aria-valuetext=${text}
      .value=${String(place)}
      @input=${(event: Event) => change({ smoothing: smoothings[Number((event.currentTarget as HTMLInputElement).value)]! })}
    />
    <span class="amount" aria-hidden="true">${text}</span>
  </label>`;
}

const modes = { zoom: "Zoom", pan: "Move", select: "Select" } as const;

/** Toggles the measures that have a chart; at least one always has. */
function measureChoice({ charts }: PageState, recorded: ReadonlySet<Measure>, change: Change): TemplateResult {
  const offered = measureSchema.options.filter((measure) => recorded.has(measure) || charts.includes(measure));
  const toggle = (measure: Measure) => {
    const on = charts.includes(measure);
    if (on && charts.length === 1) return;
    const kept = new Set(on ? charts.filter((one) => one !== measure) : [...charts, measure]);
    change({ charts: measureSchema.options.filter((one) => kept.has(one)) });
  };
  return html`<span class="group measures" role="group" aria-label="Charts of">
    ${offered.map(
      (measure) =>
        html`<button
          type="button"
          class="toggle"
          aria-pressed=${String(charts.includes(measure))}
          @click=${() => toggle(measure)}
        >
          ${measures[measure].label}
        </button>`,
    )}
  </span>`;
}
