import "@vscode-elements/elements/dist/vscode-button/index.js";
import "@vscode-elements/elements/dist/vscode-option/index.js";
import "@vscode-elements/elements/dist/vscode-single-select/index.js";
import { html, type TemplateResult } from "lit";
import { type CellMeasure, cellMeasures } from "../../server/protocol/measures.ts";
import { heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import { count } from "../components/format.ts";
import { formulaText } from "../components/measureHelp.ts";
import { modelId } from "../components/modelChoice.ts";
import { evaluatedOnly, isLive, type Side, type Sides } from "./picture.ts";
import { snapshotText } from "./snapshots.ts";
import type { PageState } from "./state.ts";

/** What can be chosen above the maps. */

export interface ControlActions {
  change(change: Partial<PageState>): void;
  play(): void;
  save(kind: "png" | "svg" | "csv"): void;
  chooseRuns(): void;
}

export interface ControlInput {
  state: PageState;
  sides: Sides;
  models: readonly RoutedModel[];
  labels: ReadonlyMap<RoutedModel, string>;
  plays: boolean;
}

export function controls(input: ControlInput, actions: ControlActions): TemplateResult {
  const { state, sides, models } = input;
  const { change } = actions;
  return html`<div class="controls" role="toolbar" aria-label="Maps">
      ${models.length > 1 ? modelChoice(input, change) : ""} ${measureChoice(state, sides.main.model, change)}
      ${choice("Experts", orders, state.order, (order) => change({ order }))} ${otherChoice(input, change)}
      ${
        sides.other && !sides.problem
          ? choice("Shown", shown, state.beside ? "beside" : "difference", (way) =>
              change({ beside: way === "beside" }),
            )
          : ""
      }
      <span class="group">
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
    </div>
    <div class="controls time" role="group" aria-label="Snapshot">${timeline(input, actions)}</div>
    <p class="formula">
      <span>${cellMeasures[state.measure].meaning}</span> <code>${formulaText(cellMeasures[state.measure].formula)}</code>
      <span class="soft"
        >E: an expert, k: experts a token goes to, N<sub>D</sub>: tokens of a domain, N<sub>ED</sub>: those of them that
        chose the expert.</span
      >
    </p>`;
}

type Change = ControlActions["change"];

const chosenValue = (event: Event): string => (event.currentTarget as unknown as { value: string }).value;

function select(
  label: string,
  value: string,
  options: readonly (readonly [value: string, text: string])[],
  choose: (value: string) => void,
): TemplateResult {
  const chosen = (event: Event) => {
    if (chosenValue(event) !== value) choose(chosenValue(event));
  };
  return html`<span class="group">
    <span class="caption" aria-hidden="true">${label}</span>
    <vscode-single-select label=${label} .value=${value} @change=${chosen}>
      ${options.map(
        ([one, text]) => html`<vscode-option value=${one} ?selected=${one === value}>${text}</vscode-option>`,
      )}
    </vscode-single-select>
  </span>`;
}

function modelChoice({ sides, models, labels }: ControlInput, change: Change): TemplateResult {
  const readable = models.filter(({ problem }) => problem === undefined);
  const options = readable.map((model) => [modelId(model), labels.get(model)!] as const);
  return select("Model", modelId(sides.main.model), options, (model) => change({ model, other: undefined }));
}

function measureChoice({ measure }: PageState, { cells }: RoutedModel, change: Change): TemplateResult {
  const offered = (Object.keys(cellMeasures) as CellMeasure[]).filter((one) => cells.includes(one) || one === measure);
  const options = offered.map((one) => [one, cellMeasures[one].label] as const);
  return select("Measure", measure, options, (one) => change({ measure: one as CellMeasure }));
}

function otherChoice({ state, sides, models, labels }: ControlInput, change: Change): TemplateResult {
  const { main } = sides;
  const own = modelId(main.model);
  const others = models.filter((model) => model !== main.model && model.problem === undefined);
  const options = [
    ["", "nothing"],
    [own, "another snapshot"],
    ...others.map((model) => [modelId(model), labels.get(model)!]),
  ] as [string, string][];
  return select("Compare with", sides.other ? (state.other?.model ?? "") : "", options, (model) =>
    change({ other: model === "" ? undefined : model === own ? { model, snapshot: 0 } : { model } }),
  );
}

const orders = { mixed: "As mixed", clustered: "Clustered" } as const;
const shown = { difference: "Difference", beside: "Side by side" } as const;

/** One of the buttons can be tabbed to; arrow keys go on from there. */
function choice<K extends string>(
  label: string,
  texts: Readonly<Record<K, string>>,
  value: K,
  choose: (value: K) => void,
): TemplateResult {
  const names = Object.keys(texts) as K[];
  const keyed = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = names[(names.indexOf(value) + by + names.length) % names.length]!;
    choose(next);
    (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-choice="${next}"]`)?.focus();
  };
  return html`<span class="group modes" role="radiogroup" aria-label=${label} @keydown=${keyed}>
    <span class="caption" aria-hidden="true">${label}</span>
    ${names.map(
      (name) =>
        html`<button
          type="button"
          role="radio"
          data-choice=${name}
          aria-checked=${String(value === name)}
          tabindex=${value === name ? 0 : -1}
          @click=${() => choose(name)}
        >
          ${texts[name]}
        </button>`,
    )}
  </span>`;
}

function timeline({ state, sides, plays }: ControlInput, { change, play }: ControlActions): TemplateResult {
  const { main, other } = sides;
  const { model } = main;
  const onHeldOut = main.snapshot === heldOut;
  const live = isLive(sides) && state.snapshot === undefined ? ", live" : "";
  const at = snapshotText(model, main.snapshot);
  const own = html`<vscode-button secondary ?disabled=${onHeldOut || model.snapshots < 2} @click=${play}
      >${plays ? "Pause" : "Play"}</vscode-button
    >
    ${slider("Step", main, onHeldOut, onHeldOut ? at : `${at} of ${count(model.steps)}${live}`, (chosen) =>
      change({ snapshot: chosen === model.snapshots - 1 ? undefined : chosen }),
    )}`;
  const evaluated = html`<vscode-button
    secondary
    aria-pressed=${String(onHeldOut)}
    ?disabled=${evaluatedOnly(model, state.measure)}
    @click=${() => change({ snapshot: onHeldOut ? undefined : heldOut })}
    >Held-out text</vscode-button
  >`;
  const minus = other
    ? html`${slider("Compared with step", other, other.snapshot === heldOut, snapshotText(other.model, other.snapshot), (at) => change({ other: { model: modelId(other.model), snapshot: at } }))}
      ${
        state.other?.snapshot === undefined || other.model === model
          ? ""
          : html`<vscode-button secondary @click=${() => change({ other: { model: modelId(other.model) } })}
            >Same step</vscode-button
          >`
      }`
    : "";
  return html`${model.snapshots > 0 ? own : ""} ${model.evaluated ? evaluated : ""} ${minus}`;
}

function slider(
  label: string,
  { model, snapshot }: Side,
  disabled: boolean,
  text: string,
  choose: (snapshot: number) => void,
): TemplateResult {
  const last = Math.max(0, model.snapshots - 1);
  return html`<label class="group">
    <span class="caption">${label}</span>
    <input
      type="range"
      class="steps"
      min="0"
      max=${last}
      step="1"
      aria-valuetext=${text}
      ?disabled=${disabled}
      .value=${String(snapshot === heldOut ? last : snapshot)}
      @input=${(event: Event) => choose(Number((event.currentTarget as HTMLInputElement).value))}
    />
    <span class="amount" aria-hidden="true">${text}</span>
  </label>`;
}
