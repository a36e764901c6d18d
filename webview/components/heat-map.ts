import { html, type PropertyValues } from "lit";
import { CanvasElement, fittedContext } from "./canvasElement.ts";
import { type Cells, cellGrid, drawCells, mapHeight } from "./drawCells.ts";
import { movedPlace, type Place } from "./gridKeys.ts";
import { theme } from "./theme.ts";

/** A cell by its row and column in the values, independent of the order shown. */
export interface Cell {
  row: number;
  column: number;
}

export interface MapEvents {
  /** The cell at the cursor, if any. */
  "map-cell": { cell: Cell | undefined };
  "map-choose": { cell: Cell };
  /** Go to the previous (-1) or next (1) map. */
  "map-turn": { by: number };
  "map-focus": undefined;
}

let count = 0;

/**
 * A heat map on a canvas. It reports user actions as events; its owner changes the properties. For a screen reader it
 * is a grid that contains only the cell at the cursor.
 */
export class HeatMap extends CanvasElement<MapEvents> {
  static override properties = {
    name: {},
    cells: { attribute: false },
    cell: { attribute: false },
    chosen: { attribute: false },
    describe: { attribute: false },
    entry: { type: Boolean },
  };
  declare name: string;
  declare cells: Cells | undefined;
  /** The cell at the cursor, in this map or another. */
  declare cell: Cell | undefined;
  declare chosen: Cell | undefined;
  /** A cell in words, with its value. */
  declare describe: (cell: Cell) => string;
  /** Whether Tab moves the focus to this map. */
  declare entry: boolean;
  readonly #id = `map-cell-${count++}`;
  /** Identifies the names that are drawn on the canvas. */
  #named = "";
  #over = false;
  #focused = false;

  constructor() {
    super();
    this.describe = () => "";
    this.entry = false;
  }

  /** Moves the keyboard focus here. */
  enter(): void {
    this.querySelector<HTMLElement>(".map-box")?.focus();
  }

  protected override render(): unknown {
    const { cells, cell } = this;
    const place = cell && this.#placeOf(cell);
    const cellHere =
      cells && place
        ? html`<div role="row" aria-rowindex=${place.row + 1}>
            <div role="gridcell" id=${this.#id} aria-colindex=${place.column + 1} aria-label=${this.describe(cell)}></div>
          </div>`
        : "";
    return html`
      <div
        class="map-box"
        role="grid"
        aria-readonly="true"
        tabindex=${this.entry ? 0 : -1}
        aria-label=${this.name}
        aria-rowcount=${cells?.rows.length ?? 0}
        aria-colcount=${cells?.columns.length ?? 0}
        aria-activedescendant=${place ? this.#id : ""}
        @keydown=${this.#key}
        @focus=${this.#focus}
        @blur=${this.#blur}
        @pointermove=${this.#point}
        @pointerleave=${this.#leave}
        @click=${this.#click}
      >
        <canvas aria-hidden="true"></canvas>
        <div class="map-mark chosen" aria-hidden="true" hidden></div>
        <div class="map-mark" aria-hidden="true" hidden></div>
        <div class="map-value" aria-hidden="true" hidden></div>
        ${cellHere}
      </div>
    `;
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("cells")) this.draw();
    else this.#mark();
  }

  protected override paint(): void {
    const canvas = this.querySelector("canvas");
    const { cells } = this;
    if (!canvas || !cells || this.clientWidth === 0) return;
    const height = `${mapHeight(cells.rows.length)}px`;
    if (canvas.style.height !== height) canvas.style.height = height;
    const context = fittedContext(canvas, canvas.clientWidth, canvas.clientHeight);
    const named = JSON.stringify([canvas.width, canvas.height, theme(), cells.rows, cells.columns, cells.order]);
    const same = named === this.#named;
    this.#named = named;
    const grid = cellGrid(canvas.clientWidth, canvas.clientHeight, cells.rows);
    if (same) context.clearRect(grid.left, grid.top, grid.width, grid.height);
    else context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    drawCells(context, cells, grid, same);
    this.#mark();
  }

  /** Places the frames of cells over the canvas, which does not have to be redrawn. */
  #mark(): void {
    const marks = this.querySelectorAll<HTMLElement>(".map-mark");
    if (marks.length < 2) return;
    this.#frame(marks[0]!, this.chosen);
    this.#frame(marks[1]!, this.cell);
    const value = this.querySelector<HTMLElement>(".map-value")!;
    value.hidden = !this.cell || !(this.#over || this.#focused);
    if (value.hidden || !this.cell) return;
    value.textContent = this.describe(this.cell);
    const { left, top, width, height } = this.rectangle(this.cell);
    const right = this.clientWidth - value.offsetWidth;
    const above = top - value.offsetHeight - 4;
    const y = above > -24 ? above : top + height + 4;
    value.style.transform = `translate(${Math.round(Math.max(0, Math.min(right, left + width / 2)))}px, ${Math.round(y)}px)`;
  }

  #frame(mark: HTMLElement, cell: Cell | undefined): void {
    mark.hidden = cell === undefined || !this.cells;
    if (!cell || mark.hidden) return;
    const { left, top, width, height } = this.rectangle(cell);
    mark.style.transform = `translate(${left}px, ${top}px)`;
    mark.style.width = `${width}px`;
    mark.style.height = `${height}px`;
  }

  #placeOf({ row, column }: Cell): Place {
    return { row, column: this.cells?.order.indexOf(column) ?? 0 };
  }

  /** The rectangle of a cell, CSS pixels of this element. */
  rectangle(cell: Cell): { left: number; top: number; width: number; height: number } {
    const { row, column } = this.#placeOf(cell);
    const canvas = this.querySelector("canvas")!;
    const { rows, columns } = this.cells!;
    const { left, top, width, height } = cellGrid(canvas.clientWidth, canvas.clientHeight, rows);
    const [wide, tall] = [width / columns.length, height / rows.length];
    return { left: left + column * wide, top: top + row * tall, width: wide, height: tall };
  }

  #at(event: MouseEvent): Cell | undefined {
    const canvas = this.querySelector("canvas");
    const { cells } = this;
    if (!canvas || !cells) return undefined;
    const box = canvas.getBoundingClientRect();
    const { left, top, width, height } = cellGrid(canvas.clientWidth, canvas.clientHeight, cells.rows);
    const row = Math.floor(((event.clientY - box.top - top) / height) * cells.rows.length);
    const place = Math.floor(((event.clientX - box.left - left) / width) * cells.columns.length);
    const column = cells.order[place];
    return row >= 0 && row < cells.rows.length && column !== undefined ? { row, column } : undefined;
  }

  #key = (event: KeyboardEvent): void => {
    const { cells } = this;
    if (!cells) return;
    const cell = this.cell ?? { row: 0, column: cells.order[0]! };
    const turn = { PageUp: -1, PageDown: 1 }[event.key];
    const moved = movedPlace(this.#placeOf(cell), event, cells.rows.length, cells.columns.length);
    if (moved) this.emit("map-cell", { cell: { row: moved.row, column: cells.order[moved.column]! } });
    else if (turn !== undefined) this.emit("map-turn", { by: turn });
    else if (event.key === "Enter" || event.key === " ") this.emit("map-choose", { cell });
    else if (event.key === "Escape" && this.cell) this.emit("map-cell", { cell: undefined });
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  #focus = (): void => {
    this.#focused = true;
    this.emit("map-focus", undefined);
    const first = this.cells?.order[0];
    if (!this.cell && first !== undefined) this.emit("map-cell", { cell: { row: 0, column: first } });
    this.#mark();
  };

  #blur = (): void => {
    this.#focused = false;
    this.#mark();
  };

  #point = (event: PointerEvent): void => {
    const cell = this.#at(event);
    this.#over = cell !== undefined;
    if (cell?.row !== this.cell?.row || cell?.column !== this.cell?.column) this.emit("map-cell", { cell });
    else this.#mark();
  };

  #leave = (): void => {
    this.#over = false;
    if (!this.#focused) this.emit("map-cell", { cell: undefined });
    else this.#mark();
  };

  #click = (event: MouseEvent): void => {
    const cell = this.#at(event);
    if (cell) this.emit("map-choose", { cell });
  };
}

customElements.define("heat-map", HeatMap);
