import { html, type TemplateResult } from "lit";
import type { TextMeasures } from "../../server/protocol/inspect.ts";
import { type CellMeasure, cellMeasureSchema, cellMeasures, otherMeasures } from "../../server/protocol/measures.ts";
import { anchoredScale, extremes } from "../components/colorScale.ts";
import type { Cells } from "../components/drawCells.ts";
import { expertFill } from "../components/experts.ts";
import { type Flow, flowOf, followers } from "../components/flow.ts";
import type { FlowEvents } from "../components/flow-picture.ts";
import "../components/flow-picture.ts";
import { cellText, percent } from "../components/format.ts";
import type { Cell } from "../components/heat-map.ts";
import { histogramMap } from "../components/histogramMap.ts";
import { layersTable } from "../components/layersTable.ts";
import { formulaText, measureHelp } from "../components/measureHelp.ts";
import { option, select } from "../components/modelChoice.ts";
import { type MapCursor, singleMap } from "../components/singleMap.ts";
import type { PageState } from "./state.ts";
import { transitionsOf } from "./textCounts.ts";
import type { RoutedAnswer } from "./tokenSections.ts";

/** The cursors of the pictures. */
export interface Cursors {
  cells?: Cell | undefined;
  flow?: Cell | undefined;
  histogram?: Cell | undefined;
}

export interface MeasuredActions {
  redraw(): void;
  choose(measure: CellMeasure): void;
}

const { saturation, particular, ...rest } = otherMeasures;
const ofTexts = Object.values(rest);

interface Pictures {
  maps: Map<string, Cells>;
  histograms: Map<number, ReturnType<typeof histogramMap>>;
  transitions: Float32Array<ArrayBuffer>;
  flow: Flow;
  order: readonly number[];
  colors(expert: number): string;
}

/** Pictures by answer, so that they are drawn again only if they change. */
const pictures = new WeakMap<RoutedAnswer, Pictures>();

function picturesOf(answer: RoutedAnswer): Pictures {
  const known = pictures.get(answer);
  if (known) return known;
  const { routed, measures } = answer;
  const { experts } = routed;
  const order = [...experts.keys()];
  const transitions = transitionsOf(routed);
  const created: Pictures = {
    maps: new Map(),
    histograms: new Map(),
    transitions,
    flow: flowOf(transitions, Float32Array.from(measures?.cells.routedShare ?? []), experts.length, order),
    order,
    colors: (expert) => expertFill(experts, expert),
  };
  pictures.set(answer, created);
  return created;
}

function cached<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

/** Measures of the whole text, as the routing page shows them for domains. @param layer index, for the histogram. */
export function measuredSections(
  answer: RoutedAnswer,
  { measure, table }: Pick<PageState, "measure" | "table">,
  layer: number,
  cursors: Cursors,
  { redraw, choose }: MeasuredActions,
): TemplateResult | "" {
  const { routed, measures } = answer;
  if (!measures) return "";
  const setCursor =
    <K extends keyof Cursors>(name: K) =>
    (cell: Cell | undefined) => {
      cursors[name] = cell;
      redraw();
    };
  return html`<h2>The text as a whole</h2>
    ${cellsSection(answer, measures, measure, table, { cell: cursors.cells, onMove: setCursor("cells") }, choose)}
    <figure>
      <figcaption>Layers <span class="soft">entropy and balance</span></figcaption>
      ${layersTable(routed, measures.layers)}
    </figure>
    ${flowSection(answer, table, { cell: cursors.flow, onMove: setCursor("flow") })}
    ${histogramSection(answer, measures, layer, { cell: cursors.histogram, onMove: setCursor("histogram") })}
    ${measureHelp([...Object.keys(measures.cells).map((one) => cellMeasures[one as CellMeasure]), ...ofTexts])}`;
}

/** A map of one measure, layers by experts. */
function cellsSection(
  answer: RoutedAnswer,
  { cells: measured }: TextMeasures,
  wanted: CellMeasure,
  table: boolean,
  cursor: MapCursor,
  choose: (measure: CellMeasure) => void,
): TemplateResult {
  const { layers, experts, k } = answer.routed;
  const offered = cellMeasureSchema.options.filter((one) => measured[one]);
  const measure = measured[wanted] ? wanted : offered[0]!;
  const { label, formula, meaning, uniform } = cellMeasures[measure];
  const { maps, order } = picturesOf(answer);
  const cells = cached(maps, measure, (): Cells => {
    const values = Float32Array.from(measured[measure] ?? []);
    const names = { rows: layers.map(String), columns: experts.map(({ name }) => name) };
    const scale = anchoredScale(uniform(experts.length, k), extremes(values)[1]);
    return { values, ...names, order, scale, text: cellText };
  });
  const value = ({ row, column }: Cell) => percent(cells.values[row * experts.length + column]!);
  const describe = (at: Cell) =>
    `layer ${layers[at.row]}, expert ${experts[at.column]!.name}: ${label.toLowerCase()} ${value(at)}`;
  return html`<figure class="cells">
    <figcaption>Layers by experts</figcaption>
    ${select(
      "Measure",
      offered.map((one) => option(one, cellMeasures[one].label, one === measure)),
      (chosen) => choose(cellMeasureSchema.parse(chosen)),
    )}
    <p class="soft"><code>${formulaText(formula)}</code> ${meaning.replace("a domain's tokens", "the text's tokens")}</p>
    ${singleMap({ cells, name: `${label} of the text, layers by experts`, describe }, cursor)}
    ${
      table
        ? valuesTable(
            label,
            ["Layer", ...cells.columns],
            cells.rows.map((name, row) => [name, ...order.map((column) => value({ row, column }))]),
          )
        : ""
    }
  </figure>`;
}

function valuesTable(caption: string, head: string[], rows: string[][]): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${caption}>
    <table class="values cells">
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head.map((name) => html`<th scope="col" class="number">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name, ...values]) =>
            html`<tr>
              <th scope="row" class="number">${name}</th>
              ${values.map((value) => html`<td class="number">${value}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Which expert follows which. */
function flowSection(answer: RoutedAnswer, table: boolean, { cell, onMove }: MapCursor): TemplateResult | "" {
  const { layers, experts } = answer.routed;
  if (layers.length < 2) return "";
  const { flow, transitions, order, colors } = picturesOf(answer);
  const next = (layer: number, expert: number) =>
    followers(transitions, experts.length, layer, expert)
      .slice(0, 5)
      .map((one) => `${experts[one.expert]!.name} ${percent(one.share)}`)
      .join(", ");
  const describe = ({ row, column }: Cell) => {
    const share = flow.nodes.find((one) => one.layer === row && one.expert === column)?.share ?? 0;
    const then = row < layers.length - 1 ? next(row, column) : "";
    return `Layer ${layers[row]}, expert ${experts[column]!.name}: ${percent(share)} of the choices${then ? `, then ${then}` : ""}`;
  };
  return html`<figure class="flow">
    <figcaption>From layer to layer <span class="soft">which expert follows which</span></figcaption>
    <flow-picture
      .name=${`From layer to layer, ${layers.length} layers; arrow keys read experts`}
      .flow=${flow}
      .layers=${layers}
      .order=${order}
      .colors=${colors}
      .cell=${cell}
      .describe=${describe}
      @flow-cell=${({ detail }: CustomEvent<FlowEvents["flow-cell"]>) => onMove(detail.cell)}
    ></flow-picture>
    ${
      table
        ? valuesTable(
            "From layer to layer",
            ["Layer", "Expert", "Followed by"],
            layers
              .slice(0, -1)
              .flatMap((layer, place) =>
                order.map((expert) => [String(layer), experts[expert]!.name, next(place, expert) || "no token"]),
              ),
          )
        : ""
    }
  </figure>`;
}

/** Tokens by router probability in one layer. */
function histogramSection(
  answer: RoutedAnswer,
  { histogram }: TextMeasures,
  layer: number,
  cursor: MapCursor,
): TemplateResult {
  const { layers, experts } = answer.routed;
  const { histograms, order } = picturesOf(answer);
  const { cells, describe } = cached(histograms, layer, () => {
    const size = histogram.length / layers.length;
    return histogramMap(Float32Array.from(histogram.slice(layer * size, (layer + 1) * size)), experts, order);
  });
  const title = `Router probability in layer ${layers[layer]}`;
  return html`<figure class="histogram">
    <figcaption>${title} <span class="soft">share of the text's tokens by the expert's probability</span></figcaption>
    ${singleMap({ cells, name: `${title}, experts by probability`, describe }, cursor)}
  </figure>`;
}
