import { html, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Cell, MapEvents } from "../components/heat-map.ts";
import "../components/heat-map.ts";
import { measureLabel } from "./labels.ts";
import { type Picture, type Sides, sidesText } from "./picture.ts";
import type { PageState } from "./state.ts";
import { mapTable } from "./tables.ts";

export interface MapsInput {
  state: PageState;
  sides: Sides;
  picture: Picture;
  /** The cell at the cursor, in any map. */
  cell: Cell | undefined;
  /** Index of the map to which Tab moves the focus. */
  entry: number;
}

export interface MapsActions {
  read(cell: Cell | undefined): void;
  choose(cell: Cell): void;
  /** Moves the focus to the map at this index, if there is one. */
  turn(index: number): void;
  /** A map received the focus. */
  enter(index: number): void;
}

/** The maps, one for all domains and one per domain, and the table of their values. */
export function mapsSection(input: MapsInput, { read, choose, turn, enter }: MapsActions): TemplateResult {
  const { state, sides, picture, cell } = input;
  const { measure, table, domain, chosen } = state;
  const { experts, domains } = sides.main.model;
  const caption = `${measureLabel(measure)}, ${sidesText(sides, measure)}`;
  const entry = Math.min(input.entry, picture.maps.length - 1);
  const size = experts.length <= 8 ? "" : experts.length <= 32 ? "middling" : "wide";
  const beside = picture.maps.length > domains.length + 1;
  return html`<h2>${caption}</h2>
    <div class="maps ${size} ${beside ? "beside" : ""}">
      ${repeat(
        picture.maps,
        ({ id }) => id,
        ({ title, cells, describe }, index) =>
          html`<figure>
            <figcaption>${title}</figcaption>
            <heat-map
              .name=${`${title}: ${caption}, layers by experts`}
              .cells=${cells}
              .cell=${cell}
              .chosen=${chosen}
              .describe=${describe}
              .entry=${index === entry}
              @map-cell=${({ detail }: CustomEvent<MapEvents["map-cell"]>) => read(detail.cell)}
              @map-choose=${({ detail }: CustomEvent<MapEvents["map-choose"]>) => choose(detail.cell)}
              @map-turn=${({ detail }: CustomEvent<MapEvents["map-turn"]>) => turn(index + detail.by)}
              @map-focus=${() => enter(index)}
            ></heat-map>
          </figure>`,
      )}
    </div>
    ${table ? mapTable(picture, caption, domain) : ""}`;
}
