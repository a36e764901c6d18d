import { html, type TemplateResult } from "lit";
import type { Cells } from "./drawCells.ts";
import type { Cell, MapEvents } from "./heat-map.ts";
import "./heat-map.ts";

/** The cell of a picture that is pointed at or read, and who is told of another. */
export interface Reading {
  cell: Cell | undefined;
  tell(cell: Cell | undefined): void;
}

export interface ReadMap {
  cells: Cells;
  /** For who does not see it: what it shows, and its axes. */
  name: string;
  says(cell: Cell): string;
}

/** A map by itself, whose cells are read one at a time. */
export const readMap = ({ cells, name, says }: ReadMap, { cell, tell }: Reading): TemplateResult => html`<heat-map
  .name=${name}
  .cells=${cells}
  .cell=${cell}
  .says=${says}
  .entry=${true}
  @map-cell=${({ detail }: CustomEvent<MapEvents["map-cell"]>) => tell(detail.cell)}
></heat-map>`;
