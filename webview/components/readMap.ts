import { html, type TemplateResult } from "lit";
import type { Cells } from "./drawCells.ts";
import type { Cell, MapEvents } from "./heat-map.ts";
import "./heat-map.ts";

/** The cell of a picture that is pointed at or read, and what is called with another one. */
export interface ReadCell {
  cell: Cell | undefined;
  onRead(cell: Cell | undefined): void;
}

export interface ReadMap {
  cells: Cells;
  /** For screen readers: what it shows, and its axes. */
  name: string;
  describe(cell: Cell): string;
}

/** A map by itself, whose cells are read one at a time. */
export const readMap = (
  { cells, name, describe }: ReadMap,
  { cell, onRead }: ReadCell,
): TemplateResult => html`<heat-map
  .name=${name}
  .cells=${cells}
  .cell=${cell}
  .describe=${describe}
  .entry=${true}
  @map-cell=${({ detail }: CustomEvent<MapEvents["map-cell"]>) => onRead(detail.cell)}
></heat-map>`;
