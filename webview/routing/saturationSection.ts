import { html, type TemplateResult } from "lit";
import { otherMeasures } from "../../server/protocol/measures.ts";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { placeNames } from "../../server/protocol/routingFiles.ts";
import { linearScale } from "../components/colorScale.ts";
import type { Cells } from "../components/drawCells.ts";
import { cellText, count, percent } from "../components/format.ts";
import type { Cell } from "../components/heat-map.ts";
import { type MapCursor, singleMap } from "../components/singleMap.ts";
import { domainName } from "./labels.ts";
import type { SaturationOverTraining } from "./routingData.ts";
import type { PageState } from "./state.ts";
import { mapTable } from "./tables.ts";

/** Maps by answer and domain, so that a map is drawn again only if it changes. */
const maps = new WeakMap<SaturationOverTraining, Map<number, Cells>>();

function cellsOf(saturation: SaturationOverTraining, layers: readonly string[], domain: number): Cells {
  const known = maps.get(saturation) ?? new Map<number, Cells>();
  maps.set(saturation, known);
  const { values, steps, shape } = saturation;
  const [probes, L, rows] = shape;
  const row = domain < 0 ? rows - 1 : domain;
  const cells = known.get(row) ?? {
    values: Float32Array.from({ length: L * probes }, (_, at) => {
      const [layer, probe] = [Math.floor(at / probes), at % probes];
      return values[(probe * L + layer) * rows + row]!;
    }),
    rows: layers,
    columns: steps.map(count),
    order: steps.map((_, probe) => probe),
    scale: linearScale(1),
    text: cellText,
  };
  known.set(row, cells);
  return cells;
}

/** How early the routers reach their final choices: layers by probes. @param domain index, or `allDomains`. */
export function saturationSection(
  model: RoutedModel,
  saturation: SaturationOverTraining | undefined,
  domain: number,
  { table }: PageState,
  cursor: MapCursor,
): TemplateResult | "" {
  if (!saturation || saturation.steps.length < 2) return "";
  const cells = cellsOf(saturation, placeNames(model), domain);
  const end = cells.columns.at(-1);
  const describe = ({ row, column }: Cell) =>
    `layer ${cells.rows[row]}, step ${cells.columns[column]}: ${percent(cells.values[row * cells.columns.length + column]!)} of the experts are those of step ${end}`;
  const title = `${otherMeasures.saturation.label} over training, ${domainName(model, domain)}`;
  const picture = { maps: [{ id: "saturation", domain: model.domains.length, title, cells, describe }], text: percent };
  return html`<figure class="saturation">
    <figcaption>${title} <span class="soft">share of the experts chosen by held-out tokens that are the same at step ${end}, %</span></figcaption>
    ${singleMap({ cells, name: `${title}, layers by steps`, describe }, cursor)}
    ${table ? mapTable(picture, title, -1, "saturation") : ""}
  </figure>`;
}
