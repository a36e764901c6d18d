import { html, type TemplateResult } from "lit";
import { heldOut, type RoutedModel } from "../../server/protocol/routing.ts";
import { extremes, linearScale } from "../components/colorScale.ts";
import type { Cells } from "../components/drawCells.ts";
import { cellText, count, percent } from "../components/format.ts";
import type { Cell } from "../components/heat-map.ts";
import { type MapCursor, singleMap } from "../components/singleMap.ts";
import type { Pairs } from "./routingData.ts";
import type { PageState } from "./state.ts";
import { mapTable } from "./tables.ts";

/** Sorts the rows of a square matrix into the order of its columns. */
function sortedRows(values: Float32Array, order: readonly number[]): Float32Array {
  const size = order.length;
  const rows = new Float32Array(size * size);
  for (const [place, row] of order.entries()) rows.set(values.subarray(row * size, (row + 1) * size), place * size);
  return rows;
}

/** The share of each expert's tokens that also chose each other expert. Empty if a token has only one expert. */
export function coActivationSection(
  model: RoutedModel,
  pairs: Pairs | undefined,
  layer: number,
  snapshot: number,
  order: readonly number[],
  state: PageState,
  cursor: MapCursor,
): TemplateResult | "" {
  if (!pairs || model.k < 2) return "";
  const size = model.experts.length;
  const own = sortedRows(pairs.values.subarray(layer * size * size, (layer + 1) * size * size), order);
  // An expert is always chosen together with itself.
  const values = own.map((value, at) => (order[Math.floor(at / size)] === at % size ? Number.NaN : value));
  const names = model.experts.map(({ name }) => name);
  const cells: Cells = {
    values,
    rows: order.map((expert) => names[expert]!),
    columns: names,
    order,
    scale: linearScale(extremes(values)[1]),
    text: cellText,
  };
  const describe = ({ row, column }: Cell) =>
    order[row] === column
      ? `${names[column]} with itself`
      : `${percent(values[row * size + column]!)} of the tokens of ${cells.rows[row]} also go to ${names[column]}`;
  const title = `Chosen together in layer ${model.layers[layer]}`;
  const at = snapshot === heldOut ? "held-out text" : `up to step ${count(pairs.step)}`;
  const picture = {
    maps: [{ id: "coActivation", domain: model.domains.length, title, cells, describe }],
    text: percent,
  };
  return html`<figure class="square">
    <figcaption>${title} <span class="soft">share of a row's tokens that also chose the column, ${at}</span></figcaption>
    ${singleMap({ cells, name: `${title}, experts by experts`, describe }, cursor)}
    ${state.table ? mapTable(picture, title, -1, "square") : ""}
  </figure>`;
}
