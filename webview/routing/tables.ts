import { html, type TemplateResult } from "lit";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { followers } from "../components/flow.ts";
import { count, percent } from "../components/format.ts";
import type { MapView, Picture } from "./picture.ts";
import type { Load, Pairs } from "./routingData.ts";

/** Maximum number of cells in a table; of larger maps only the chosen domain is written out. */
const maxCells = 6000;
/** Rows of the table of load, and followers of an expert, few enough to read. */
const loadRows = 24;
const followersShown = 5;

/** The maps as numbers, one row per layer. @param domain the only one written out if the maps are too large. */
export function mapTable(
  { maps, text }: Pick<Picture, "maps" | "text">,
  caption: string,
  domain: number,
  kind = "maps",
): TemplateResult {
  const size = (maps[0]?.cells.values.length ?? 0) * maps.length;
  const domains = maps[0]?.domain ?? 0;
  const written = size <= maxCells ? maps : maps.filter((map) => map.domain === (domain < 0 ? domains : domain));
  const { columns, order } = written[0]!.cells;
  const layer = ({ cells }: MapView, row: number) =>
    cells.order.map(
      (column) => html`<td class="number">${text(cells.values[row * cells.columns.length + column]!)}</td>`,
    );
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Values of the maps">
    <table class="values ${kind}">
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          <th scope="col">Domain</th>
          <th scope="col" class="number">Layer</th>
          ${order.map((column) => html`<th scope="col" class="number">${columns[column]}</th>`)}
        </tr>
      </thead>
      ${written.map(
        (map) =>
          html`<tbody>
            ${map.cells.rows.map(
              (name, row) =>
                html`<tr>
                  <th scope="row">${map.title}</th>
                  <th scope="row" class="number">${name}</th>
                  ${layer(map, row)}
                </tr>`,
            )}
          </tbody>`,
      )}
    </table>
  </div>`;
}

/** Indices of evenly spaced rows. */
const spaced = (length: number): number[] =>
  length <= loadRows
    ? Array.from({ length }, (_, row) => row)
    : Array.from({ length: loadRows }, (_, row) => Math.round((row * (length - 1)) / (loadRows - 1)));

export function loadTable(
  { values, steps }: Load,
  { experts }: RoutedModel,
  order: readonly number[],
  caption: string,
): TemplateResult {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Values over time">
    <table class="values load">
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          <th scope="col" class="number">Step</th>
          ${order.map((expert) => html`<th scope="col" class="number">${experts[expert]!.name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${spaced(steps.length).map(
          (point) =>
            html`<tr>
              <th scope="row" class="number">${count(steps[point]!)}</th>
              ${order.map(
                (expert) => html`<td class="number">${percent(values[point * experts.length + expert]!)}</td>`,
              )}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** "code 60 %, web 40 %": the experts that an expert's tokens go to next. */
export function followersText({ values }: Pairs, { experts }: RoutedModel, layer: number, expert: number): string {
  const found = followers(values, experts.length, layer, expert);
  const named = found.slice(0, followersShown).map((one) => `${experts[one.expert]!.name} ${percent(one.share)}`);
  return found.length > followersShown ? `${named.join(", ")} and others` : named.join(", ");
}

/** Where the tokens of each expert go in the next layer. @param layer index. */
export function flowTable(pairs: Pairs, model: RoutedModel, order: readonly number[], layer: number): TemplateResult {
  const from = Math.min(layer, model.layers.length - 2);
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Values of the flow">
    <table class="values flow">
      <caption>
        From layer ${model.layers[from]} to layer ${model.layers[from + 1]}
      </caption>
      <thead>
        <tr>
          <th scope="col">Expert</th>
          <th scope="col">Followed by</th>
        </tr>
      </thead>
      <tbody>
        ${order.map(
          (expert) =>
            html`<tr>
              <th scope="row">${model.experts[expert]!.name}</th>
              <td>${followersText(pairs, model, from, expert) || "no token"}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
