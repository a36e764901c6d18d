import "@vscode-elements/elements/dist/vscode-button/index.js";
import "@vscode-elements/elements/dist/vscode-checkbox/index.js";
import "@vscode-elements/elements/dist/vscode-option/index.js";
import "@vscode-elements/elements/dist/vscode-single-select/index.js";
import { html, type TemplateResult } from "lit";
import { type Axis, axisSchema, type Measure, measureSchema } from "../../server/protocol/stream.ts";
import { count } from "../components/format.ts";
import { axes, measures } from "./measures.ts";
import { type PageState, smoothings } from "./state.ts";

/** What can be chosen above the charts. */

export interface ControlActions {
  change(change: Partial<PageState>): void;
  showAll(): void;
  save(kind: "png" | "svg" | "csv"): void;
  chooseRuns(): void;
}

/** @param recorded measures that any stage has. */
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
    ${smoothingChoice(state, change)} ${modeChoice(state, change)}
    <span class="group">
      <vscode-button secondary @click=${actions.showAll}>Show all</vscode-button>
      <vscode-button secondary aria-pressed=${String(state.table)} @click=${() => change({ table: !state.table })}
        >Table</vscode-button
      >
      <vscode-button secondary @click=${actions.chooseRuns}>Runs…</vscode-button>
    </span>
    <span class="group" role="group" aria-label="Export">
      <span class="caption" aria-hidden="true">Export</span>
      ${(["png", "svg", "csv"] as const).map(
        (kind) =>
          html`<vscode-button secondary aria-label="Export ${kind.toUpperCase()}" @click=${() => actions.save(kind)}
            >${kind.toUpperCase()}</vscode-button
          >`,
      )}
    </span>
    ${measureChoice(state, recorded, change)}
  </div>`;
}

const isChecked = (event: Event): boolean => (event.currentTarget as unknown as { checked: boolean }).checked;

type Change = ControlActions["change"];

function axisChoice({ axis }: PageState, change: Change): TemplateResult {
  const chosen = (event: Event) => {
    const { value } = event.currentTarget as unknown as { value: Axis };
    // Ranges of one axis say nothing on another.
    if (value !== axis) change({ axis: value, range: undefined });
  };
  return html`<span class="group">
    <span class="caption" aria-hidden="true">x axis</span>
    <vscode-single-select class="axis" label="x axis" .value=${axis} @change=${chosen}>
      ${axisSchema.options.map(
        (one) => html`<vscode-option value=${one} ?selected=${one === axis}>${axes[one].label}</vscode-option>`,
      )}
    </vscode-single-select>
  </span>`;
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

/** One of the buttons can be tabbed to; arrow keys go on from there. */
function modeChoice({ mode }: PageState, change: Change): TemplateResult {
  const names = Object.keys(modes) as (keyof typeof modes)[];
  const keyed = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = names[(names.indexOf(mode) + by + names.length) % names.length]!;
    change({ mode: next });
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-mode="${next}"]`)?.focus();
  };
  return html`<span class="group modes" role="radiogroup" aria-label="Dragging over a chart" @keydown=${keyed}>
    <span class="caption" aria-hidden="true">Drag to</span>
    ${names.map(
      (name) =>
        html`<button
          type="button"
          role="radio"
          data-mode=${name}
          aria-checked=${String(mode === name)}
          tabindex=${mode === name ? 0 : -1}
          @click=${() => change({ mode: name })}
        >
          ${modes[name]}
        </button>`,
    )}
  </span>`;
}

/** Which measures have a chart; at least one has. */
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
