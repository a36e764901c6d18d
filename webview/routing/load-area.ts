import { html, type PropertyValues } from "lit";
import { ExpertsElement, fittedContext } from "../components/canvasElement.ts";
import { count } from "../components/format.ts";
import { theme } from "../components/theme.ts";
import { linearTicks } from "../components/ticks.ts";
import type { Load } from "./routingData.ts";

export interface LoadEvents {
  /** The step at the cursor, if any. */
  "load-step": { step: number | undefined };
  "load-resize": undefined;
}

/** CSS pixels; the style sheet sets the same height. */
const height = 220;
const room = { left: 44, right: 10, bottom: 22, top: 4 };

/** The point nearest to a step. */
export function nearestPoint(steps: readonly number[], step: number): number {
  let best = 0;
  for (let at = 1; at < steps.length; at++) if (Math.abs(steps[at]! - step) < Math.abs(steps[best]! - step)) best = at;
  return best;
}

/** An expert's area: its lower and upper edge at each point, as shares of a layer's tokens from the bottom. */
interface Area {
  expert: number;
  lower: Float32Array;
  upper: Float32Array;
}

/** @param shares [points, experts]. @param order of experts, from the bottom. */
function stacked(shares: Float32Array, experts: number, order: readonly number[]): Area[] {
  const points = shares.length / experts;
  let edge = new Float32Array(points);
  return order.map((expert) => {
    const lower = edge;
    const upper = new Float32Array(points);
    for (let point = 0; point < points; point++) upper[point] = lower[point]! + (shares[point * experts + expert] || 0);
    edge = upper;
    return { expert, lower, upper };
  });
}

/** Shares of a layer's experts over training, as stacked areas. */
export class LoadArea extends ExpertsElement<LoadEvents, number> {
  static override properties = {
    load: { attribute: false },
    experts: { type: Number },
    step: { attribute: false },
    shown: { attribute: false },
  };
  declare load: Load | undefined;
  declare experts: number;
  /** The step at the cursor. */
  declare step: number | undefined;
  /** The step that the maps show. */
  declare shown: number | undefined;

  constructor() {
    super();
    this.experts = 0;
  }

  /** Number of pixel columns. */
  get columns(): number {
    return Math.max(16, Math.round((this.clientWidth - room.left - room.right) * Math.min(2, devicePixelRatio)));
  }

  protected override render(): unknown {
    const { load, step } = this;
    return html`<div
        class="load-box"
        tabindex="0"
        role="application"
        aria-roledescription="stacked areas"
        aria-label=${this.name}
        @keydown=${this.#key}
        @pointermove=${(event: PointerEvent) => this.emit("load-step", { step: this.#stepAt(event) })}
        @pointerleave=${() => this.emit("load-step", { step: undefined })}
      >
        <canvas aria-hidden="true"></canvas>
        <div class="load-mark" aria-hidden="true" hidden></div>
      </div>
      <p class="read" role="status">
        ${load && step !== undefined && load.steps.length > 0 ? this.describe(nearestPoint(load.steps, step)) : " "}
      </p>`;
  }

  protected override updated(changed: PropertyValues): void {
    if (["load", "order", "colors", "experts"].some((name) => changed.has(name))) this.draw();
    this.#mark();
  }

  /** First and last step. */
  get #range(): [number, number] {
    const steps = this.load?.steps ?? [];
    const [low = 0, high = 1] = [steps[0], steps.at(-1)];
    return low < high ? [low, high] : [low - 0.5, low + 0.5];
  }

  #x(step: number): number {
    const [low, high] = this.#range;
    return room.left + ((step - low) / (high - low)) * (this.clientWidth - room.left - room.right);
  }

  protected override resized(): void {
    this.draw();
    this.emit("load-resize", undefined);
  }

  protected override paint(): void {
    const canvas = this.querySelector("canvas");
    const { load } = this;
    const width = this.clientWidth;
    if (!canvas || !load || width === 0) return;
    const context = fittedContext(canvas, width, height);
    context.clearRect(0, 0, width, height);
    const tall = height - room.top - room.bottom;
    const y = (share: number) => room.top + (1 - share) * tall;
    // A single snapshot fills the whole width.
    const xs = load.steps.length === 1 ? [room.left, width - room.right] : load.steps.map((step) => this.#x(step));
    const { page, soft, grid, font } = theme();
    for (const { expert, lower, upper } of stacked(load.values, this.experts, this.order)) {
      const at = (point: number) => Math.min(point, upper.length - 1);
      context.beginPath();
      for (const [point, x] of xs.entries()) context.lineTo(x, y(upper[at(point)]!));
      for (let point = xs.length - 1; point >= 0; point--) context.lineTo(xs[point]!, y(lower[at(point)]!));
      context.closePath();
      context.fillStyle = this.colors(expert);
      context.fill();
      // Many thin areas would show only their edges.
      if (this.experts > 24) continue;
      context.strokeStyle = page;
      context.lineWidth = 1;
      context.stroke();
    }
    context.font = `11px ${font}`;
    context.fillStyle = soft;
    context.strokeStyle = grid;
    context.textBaseline = "middle";
    context.textAlign = "end";
    for (const share of [0, 0.5, 1])
      context.fillText(`${share * 100} %`, room.left - 6, Math.min(height - 28, y(share) + (share === 1 ? 5 : 0)));
    context.textAlign = "center";
    const [low, high] = this.#range;
    for (const step of linearTicks(low, high, Math.max(2, Math.floor(width / 110))).filter(Number.isInteger))
      context.fillText(count(step), Math.min(width - 24, this.#x(step)), height - 9);
    this.#mark();
  }

  /** Marks the step at the cursor, else the step of the maps, with a line over the picture. */
  #mark(): void {
    const mark = this.querySelector<HTMLElement>(".load-mark");
    const step = this.step ?? this.shown;
    if (!mark) return;
    mark.hidden = !this.load || step === undefined;
    if (!mark.hidden) mark.style.transform = `translate(${Math.round(this.#x(step!))}px, 0)`;
  }

  #stepAt(event: PointerEvent): number | undefined {
    const { left, width } = this.querySelector("canvas")!.getBoundingClientRect();
    const share = (event.clientX - left - room.left) / (width - room.left - room.right);
    const [low, high] = this.#range;
    return this.load && share >= 0 && share <= 1 ? low + share * (high - low) : undefined;
  }

  #key = (event: KeyboardEvent): void => {
    const steps = this.load?.steps ?? [];
    if (steps.length === 0) return;
    const at = nearestPoint(steps, this.step ?? this.shown ?? steps.at(-1)!);
    const page = Math.ceil(steps.length / 10);
    const to = {
      ArrowLeft: at - (this.step === undefined ? 0 : 1),
      ArrowRight: at + (this.step === undefined ? 0 : 1),
      PageUp: at - page,
      PageDown: at + page,
      Home: 0,
      End: steps.length - 1,
    }[event.key];
    if (to !== undefined) this.emit("load-step", { step: steps[Math.max(0, Math.min(steps.length - 1, to))] });
    else if (event.key === "Escape") this.emit("load-step", { step: undefined });
    else return;
    event.preventDefault();
  };
}

customElements.define("load-area", LoadArea);
