import "@vscode-elements/elements/dist/vscode-button/index.js";
import { html, type TemplateResult } from "lit";
import { type CellMeasure, cellMeasures } from "../../server/protocol/measures.ts";
import { heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import { count } from "../components/format.ts";
import { formulaText } from "../components/measureHelp.ts";
import { modelId } from "../components/modelChoice.ts";
import type { FigureKind } from "../components/saveFigure.ts";
import { exportButtons, radioButtons, selectBox, tableAndRuns } from "../components/toolbar.ts";
import { evaluatedOnly, isLive, type Side, type Sides } from "./picture.ts";
import { snapshotText } from "./snapshots.ts";
import type { PageState } from "./state.ts";

/** The controls above the maps. */

export interface ControlActions {
  change(change: Partial<PageState>): void;
  play(): void;
  save(kind: FigureKind): void;
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
      ${radioButtons("Experts", orders, state.order, (order) => change({ order }))} ${otherChoice(input, change)}
      ${
        sides.other && !sides.problem
          ? radioButtons("Shown", shown, state.beside ? "beside" : "difference", (way) =>
              change({ beside: way === "beside" }),
            )
          : ""
      }
      <span class="group">
        ${tableAndRuns(state.table, () => change({ table: !state.table }), actions.chooseRuns)}
      </span>
      ${exportButtons(actions.save)}
    </div>
    <div class="controls time" role="group" aria-label="Snapshot">${timeline(input, actions)}</div>
    <p class="formula">
      <span>${cellMeasures[state.measure].meaning}</span> <code>${formulaText(cellMeasures[state.measure].formula)}</code>
      <span class="soft"
        >E: an expert, k: experts per token, N<sub>D</sub>: tokens of a domain, N<sub>ED</sub>: tokens of a domain that
        chose the expert.</span
      >
    </p>`;
}

type Change = ControlActions["change"];

function modelChoice({ sides, models, labels }: ControlInput, change: Change): TemplateResult {
  const readable = models.filter(({ problem }) => problem === undefined);
  const options = readable.map((model) => [modelId(model), labels.get(model)!] as const);
  return selectBox("Model", options, modelId(sides.main.model), (model) => change({ model, other: undefined }));
}

function measureChoice({ measure }: PageState, { cells }: RoutedModel, change: Change): TemplateResult {
  const offered = (Object.keys(cellMeasures) as CellMeasure[]).filter((one) => cells.includes(one) || one === measure);
  const options = offered.map((one) => [one, cellMeasures[one].label] as const);
  return selectBox("Measure", options, measure, (one) => change({ measure: one }));
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
  return selectBox("Compare with", options, sides.other ? (state.other?.model ?? "") : "", (model) =>
    change({ other: model === "" ? undefined : model === own ? { model, snapshot: 0 } : { model } }),
  );
}

const orders = { mixed: "As mixed", clustered: "Clustered" } as const;
const shown = { difference: "Difference", beside: "Side by side" } as const;

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
