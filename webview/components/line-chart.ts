import { html, LitElement, type PropertyValues, render } from "lit";
import type uPlot from "uplot";
import type { Range } from "../../server/protocol/stream.ts";
import { type ChartAxis, makeAxes } from "./chartAxes.ts";
import { type KeyTarget, pressKey } from "./chartKeys.ts";
import type { ChartLine } from "./chartLine.ts";
import { type Box, drawMarks, pointsAt, type Reading } from "./chartOverlay.ts";
import { type DragMode, followPointer, type PointerTarget } from "./chartPointer.ts";
import { CanvasPen, drawLines, type Plot, placeX } from "./drawLines.ts";
import { QuickPen } from "./quickPen.ts";
import { onThemeChange, theme } from "./theme.ts";

export interface ChartEvents {
  /** Ranges to show; an absent axis stays as it is. */
  "chart-show": { x?: Range; y?: Range };
  "chart-all": undefined;
  "chart-cursor": { x: number | undefined };
  "chart-select": { range: Range | undefined };
  "chart-resize": undefined;
}

const differ = (a: Range, b: Range | undefined): boolean => a[0] !== b?.[0] || a[1] !== b[1];

/** A frame is late if it follows the previous one by more than this, ms. */
const lateFrame = 24;
/** Maximum number of values shown at the pointer. */
const maxValues = 12;

/**
 * A line chart. It reports user actions as events; its owner changes the properties. uPlot draws the axes; keys,
 * pointer and lines are our own, because lines of different stages have different x.
 */
export class LineChart extends LitElement implements PointerTarget, KeyTarget {
  static override properties = {
    name: {},
    lines: { attribute: false },
    x: { attribute: false, hasChanged: differ },
    y: { attribute: false, hasChanged: differ },
    log: { type: Boolean },
    axisX: { attribute: false },
    axisY: { attribute: false },
    mode: {},
    cursor: { attribute: false },
    selection: { attribute: false },
    currentId: { attribute: false },
  };
  declare name: string;
  declare lines: readonly ChartLine[];
  declare x: Range;
  declare y: Range;
  declare log: boolean;
  declare axisX: ChartAxis;
  declare axisY: ChartAxis;
  declare mode: DragMode;
  declare cursor: number | undefined;
  declare selection: Range | undefined;
  /** Id of the current line; the others are paler. */
  declare currentId: string | undefined;
  #chart: uPlot | undefined;
  #box: Box | undefined;
  #hovered = false;
  /** Set while the browser draws too slowly for a drag. */
  #quick: QuickPen | undefined;
  #frames = 0;
  #announced = "";
  #resized = new ResizeObserver(() => this.#resize());
  #forget = () => {};

  constructor() {
    super();
    this.lines = [];
    this.x = [0, 1];
    this.y = [0, 1];
    this.log = false;
    this.mode = "zoom";
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#forget = onThemeChange(() => this.#redraw());
    this.#resized.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#forget();
    this.#resized.disconnect();
  }

  /** The area of the lines, CSS pixels of this element. */
  get plot(): Plot {
    const { left = 0, top = 0, width = 1, height = 1 } = this.#chart?.bbox ?? {};
    const ratio = devicePixelRatio;
    const place = { left: left / ratio, top: top / ratio, width: width / ratio, height: height / ratio };
    return { ...place, x: this.x, y: this.y, log: this.log };
  }

  get current(): ChartLine | undefined {
    return this.lines.find(({ id }) => id === this.currentId) ?? this.lines[0];
  }

  show(ranges: { x?: Range; y?: Range }): void {
    this.#emit("chart-show", ranges);
  }

  showAll(): void {
    this.#emit("chart-all", undefined);
  }

  select(range: Range | undefined): void {
    this.#emit("chart-select", { range });
  }

  hover(x: number | undefined): void {
    this.#hovered = x !== undefined;
    this.#emit("chart-cursor", { x });
  }

  outline(box: Box | undefined): void {
    this.#box = box;
    this.#drawMarks();
  }

  /** During a drag, browsers that cannot draw 60 frames per second get a simpler drawing. */
  moving(moves: boolean): void {
    cancelAnimationFrame(this.#frames);
    if (!moves) {
      if (!this.#quick) return;
      this.#quick = undefined;
      this.#redraw();
      return;
    }
    let [last, late] = [0, 0];
    const frame = (time: number) => {
      late = last > 0 && time - last > lateFrame ? late + 1 : Math.max(0, late - 0.2);
      last = time;
      if (late >= 2) this.#quick ??= new QuickPen();
      this.#frames = requestAnimationFrame(frame);
    };
    this.#frames = requestAnimationFrame(frame);
  }

  moveCursor(x: number | undefined): void {
    this.#hovered = false;
    this.#emit("chart-cursor", { x });
    this.#announce(this.current, x);
  }

  selectLine(id: string): void {
    this.currentId = id;
    this.#announce(this.current, this.cursor);
  }

  protected override render(): unknown {
    return html`
      <div
        class="chart-box"
        tabindex="0"
        role="application"
        aria-roledescription="line chart"
        aria-label=${this.name}
        @keydown=${this.#key}
        @blur=${this.#blur}
      >
        <div class="chart-axes" aria-hidden="true"></div>
        <canvas class="chart-marks" aria-hidden="true" data-mode=${this.mode}></canvas>
        <div class="chart-values" aria-hidden="true" hidden></div>
      </div>
      <div class="unseen" role="status">${this.#announced}</div>
    `;
  }

  protected override firstUpdated(): void {
    followPointer(this.querySelector<HTMLElement>(".chart-marks")!, this);
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("log") || !this.#chart) this.#make();
    const drawn = ["lines", "x", "y", "log", "axisX", "axisY", "currentId"];
    if (drawn.some((name) => changed.has(name))) this.#redraw();
    else this.#drawMarks();
  }

  #make(): void {
    this.#chart?.destroy();
    this.#chart = makeAxes(this.querySelector<HTMLElement>(".chart-axes")!, {
      x: () => this.axisX,
      y: () => this.axisY,
      log: this.log,
      size: { width: Math.max(100, this.clientWidth), height: Math.max(100, this.clientHeight) },
      draw: (chart) => this.#drawLines(chart),
    });
  }

  #drawLines({ ctx, bbox }: uPlot): void {
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.scale(devicePixelRatio, devicePixelRatio);
    const look = { highContrast: theme().highContrast, current: this.currentId };
    if (this.#quick) {
      this.#quick.begin(this.plot);
      drawLines(this.#quick, this.plot, this.lines, look);
      this.#quick.show(ctx);
    } else drawLines(new CanvasPen(ctx), this.plot, this.lines, look);
    ctx.restore();
  }

  #redraw(): void {
    const chart = this.#chart;
    if (!chart) return;
    const [[left, right], [low, high]] = [this.x, this.y];
    chart.batch(() => {
      // This must come first, since it restores the previous scales.
      chart.redraw(true, true);
      chart.setScale("x", { min: left, max: right });
      chart.setScale("y", { min: low, max: high });
    });
    // uPlot lays out its axes after this task.
    queueMicrotask(() => this.#drawMarks());
  }

  #resize(): void {
    const [width, height] = [this.clientWidth, this.clientHeight];
    if (!this.#chart || width === 0 || (this.#chart.width === width && this.#chart.height === height)) return;
    this.#chart.setSize({ width, height });
    this.#emit("chart-resize", undefined);
    queueMicrotask(() => this.#drawMarks());
  }

  #drawMarks(): void {
    const canvas = this.querySelector<HTMLCanvasElement>(".chart-marks");
    if (!canvas || !this.#chart) return;
    const { cursor, selection } = this;
    drawMarks(canvas, this.plot, this.lines, { cursor, selection, box: this.#box });
    this.#showValues(cursor === undefined || !this.#hovered ? [] : pointsAt(this.lines, this.x, cursor));
  }

  /** Shows values next to the pointer. */
  #showValues(readings: Reading[]): void {
    const box = this.querySelector<HTMLElement>(".chart-values")!;
    box.hidden = readings.length === 0;
    if (box.hidden) return;
    const { plot, cursor = 0 } = this;
    const rows = readings.slice(0, maxValues).map(
      ({ color, label, y, mean }) => html`<tr>
        <td><svg width="10" height="10"><circle cx="5" cy="5" r="4" fill=${color}></circle></svg></td>
        <th>${label}</th>
        <td>${this.axisY.exact(y)}</td>
        <td>${mean === undefined ? "" : `mean ${this.axisY.exact(mean)}`}</td>
      </tr>`,
    );
    const more = readings.length - maxValues;
    render(
      html`<p>${this.axisX.exact(cursor)}</p>
        <table>
          ${rows}
        </table>
        ${more > 0 ? html`<p>and ${more} more, in the table below</p>` : ""}`,
      box,
    );
    const at = placeX(plot, cursor);
    const left = at + 16 + box.offsetWidth > plot.left + plot.width ? at - 16 - box.offsetWidth : at + 16;
    box.style.transform = `translate(${Math.max(0, Math.round(left))}px, ${Math.round(plot.top + 6)}px)`;
  }

  #key = (event: KeyboardEvent): void => {
    if (!pressKey(this, event)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  #blur = (): void => {
    this.currentId = undefined;
    this.#announced = "";
  };

  /** Announces a value to screen readers. */
  #announce(line: ChartLine | undefined, x: number | undefined): void {
    const reading = line && x !== undefined ? pointsAt([line], this.x, x)[0] : undefined;
    if (!line || x === undefined) this.#announced = line?.label ?? "";
    else if (!reading) this.#announced = `${line.label}: nothing at ${this.axisX.exact(x)}`;
    else {
      const mean = reading.mean === undefined ? "" : `, mean ${this.axisY.exact(reading.mean)}`;
      this.#announced = `${line.label}: ${this.axisY.exact(reading.y)}${mean} at ${this.axisX.exact(reading.x)}`;
    }
    this.requestUpdate();
  }

  #emit<K extends keyof ChartEvents>(type: K, detail: ChartEvents[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
  }
}

customElements.define("line-chart", LineChart);
