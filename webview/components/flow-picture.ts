import { html, type PropertyValues } from "lit";
import { ExpertsElement, fittedContext } from "./canvasElement.ts";
import type { Flow } from "./flow.ts";
import type { Cell } from "./heat-map.ts";
import { theme } from "./theme.ts";

export interface FlowEvents {
  "flow-cell": { cell: Cell | undefined };
  "flow-choose": { cell: Cell };
}

/** CSS pixels. */
const height = 300;
const foot = 20;
const edge = 24;
const nodeWidth = 10;
const least = 60;

/** Experts of all layers, with bands between layers as thick as the share of tokens that go from one to the other. */
export class FlowPicture extends ExpertsElement<FlowEvents, Cell> {
  static override properties = {
    flow: { attribute: false },
    layers: { attribute: false },
    cell: { attribute: false },
  };
  declare flow: Flow | undefined;
  /** The layers' numbers in the model. */
  declare layers: readonly number[];
  /** Layer and expert at the cursor; other bands are paler. */
  declare cell: Cell | undefined;

  constructor() {
    super();
    this.layers = [];
  }

  protected override render(): unknown {
    return html`<div
        class="flow-box"
        tabindex="0"
        role="application"
        aria-roledescription="flow picture"
        aria-label=${this.name}
        @keydown=${this.#key}
        @focus=${() => this.cell === undefined && this.emit("flow-cell", { cell: this.#first })}
        @pointermove=${(event: PointerEvent) => this.#point(event)}
        @pointerleave=${() => this.emit("flow-cell", { cell: undefined })}
        @click=${this.#click}
      >
        <canvas aria-hidden="true"></canvas>
      </div>
      <p class="read" role="status">${this.cell && this.flow ? this.describe(this.cell) : " "}</p>`;
  }

  protected override updated(changed: PropertyValues): void {
    if (["flow", "cell", "order", "colors"].some((name) => changed.has(name))) this.draw();
  }

  /** Distance from one layer to the next, CSS pixels. */
  get #step(): number {
    return Math.max(least, (this.clientWidth - 2 * edge) / Math.max(1, this.layers.length - 1));
  }

  protected override paint(): void {
    const canvas = this.querySelector("canvas");
    const { flow, layers } = this;
    if (!canvas || !flow || this.clientWidth === 0) return;
    const step = this.#step;
    const width = Math.round(step * (layers.length - 1) + 2 * edge);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const context = fittedContext(canvas, width, height);
    context.clearRect(0, 0, width, height);
    this.#drawBands(context, flow, step);
    this.#drawNodes(context, flow, step);
  }

  #drawBands(context: CanvasRenderingContext2D, { bands }: Flow, step: number): void {
    const { cell } = this;
    const tall = height - foot;
    for (const { layer, from, to, share, start, end } of bands) {
      const [left, right] = [edge + layer * step + nodeWidth / 2, edge + (layer + 1) * step - nodeWidth / 2];
      const middle = (left + right) / 2;
      const thick = Math.max(0.5, share * tall);
      const read =
        !cell || (cell.row === layer && cell.column === from) || (cell.row === layer + 1 && cell.column === to);
      context.globalAlpha = read ? (cell ? 0.75 : 0.45) : 0.1;
      context.fillStyle = this.colors(from);
      context.beginPath();
      context.moveTo(left, start * tall);
      context.bezierCurveTo(middle, start * tall, middle, end * tall, right, end * tall);
      context.lineTo(right, end * tall + thick);
      context.bezierCurveTo(middle, end * tall + thick, middle, start * tall + thick, left, start * tall + thick);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  #drawNodes(context: CanvasRenderingContext2D, { nodes }: Flow, step: number): void {
    const { page, ink, soft, font, highContrast } = theme();
    const tall = height - foot;
    context.lineWidth = 1;
    for (const { layer, expert, share, top } of nodes) {
      const [x, y, thick] = [edge + layer * step - nodeWidth / 2, top * tall, share * tall];
      context.fillStyle = this.colors(expert);
      context.fillRect(x, y, nodeWidth, Math.max(0.5, thick));
      if (thick > 4) {
        context.strokeStyle = highContrast ? ink : page;
        context.strokeRect(x, y, nodeWidth, thick);
      }
    }
    context.font = `11px ${font}`;
    context.fillStyle = soft;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    for (const [place, layer] of this.layers.entries())
      context.fillText(String(layer), edge + place * step, height - 6);
  }

  get #first(): Cell {
    return { row: 0, column: this.order[0] ?? 0 };
  }

  #key = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const cell = this.cell ?? this.#first;
    if (by) {
      const place = this.order.indexOf(cell.column) + by[1]!;
      const column = this.order[Math.max(0, Math.min(this.order.length - 1, place))]!;
      const row = Math.max(0, Math.min(this.layers.length - 1, cell.row + by[0]!));
      this.emit("flow-cell", { cell: { row, column } });
      this.querySelector(".flow-box")!.scrollLeft = edge + row * this.#step - this.clientWidth / 2;
    } else if (event.key === "Enter") this.emit("flow-choose", { cell });
    else if (event.key === "Escape") this.emit("flow-cell", { cell: undefined });
    else return;
    event.preventDefault();
  };

  #at(event: MouseEvent): Cell | undefined {
    const { left, top } = this.querySelector("canvas")!.getBoundingClientRect();
    const step = this.#step;
    const row = Math.round((event.clientX - left - edge) / step);
    if (Math.abs(event.clientX - left - edge - row * step) > Math.min(step / 3, nodeWidth * 2)) return undefined;
    const share = (event.clientY - top) / (height - foot);
    const node = this.flow?.nodes.find((one) => one.layer === row && share >= one.top && share < one.top + one.share);
    return node && { row, column: node.expert };
  }

  #point(event: PointerEvent): void {
    const cell = this.#at(event);
    if (cell?.row !== this.cell?.row || cell?.column !== this.cell?.column) this.emit("flow-cell", { cell });
  }

  #click = (event: MouseEvent): void => {
    const cell = this.#at(event);
    if (cell) this.emit("flow-choose", { cell });
  };
}

customElements.define("flow-picture", FlowPicture);
