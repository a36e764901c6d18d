import { html, type TemplateResult } from "lit";
import type { Cells } from "./drawCells.ts";
import type { Cell, MapEvents } from "./heat-map.ts";
import "./heat-map.ts";

/** The cell at the cursor, and what to call when the cursor moves. */
export interface MapCursor {
  cell: Cell | undefined;
  onMove(cell: Cell | undefined): void;
}

export interface SingleMap {
  cells: Cells;
  /** For screen readers: what the map shows, and its axes. */
  name: string;
  describe(cell: Cell): string;
}

/** A heat map that does not share its cursor with others. */
export const singleMap = (
  { cells, name, describe }: SingleMap,
  { cell, onMove }: MapCursor,
): TemplateResult => html`<heat-map
  .name=${name}
  .cells=${cells}
  .cell=${cell}
  .describe=${describe}
  .entry=${true}
  @map-cell=${({ detail }: CustomEvent<MapEvents["map-cell"]>) => onMove(detail.cell)}
></heat-map>`;
