import { firstAtLeast } from "../../server/protocol/ascending.ts";
import type { Range } from "../../server/protocol/stream.ts";
import type { ChartLine } from "./chartLine.ts";

/** The area of a chart's lines: a rectangle in CSS pixels, and the ranges of x and y that it shows. */
export interface Plot {
  left: number;
  top: number;
  width: number;
  height: number;
  x: Range;
  y: Range;
  log: boolean;
}

/** Draws lines on a canvas or as SVG text. */
export interface Pen {
  /** @param points x and y of each point in turn, CSS pixels. */
  line(points: Float64Array, style: LineStyle): void;
}

export interface LineStyle {
  color: string;
  width: number;
  dash: readonly number[];
  opacity: number;
}

/** The position of a value in a plot, CSS pixels. */
export const placeX = ({ left, width, x: [low, high] }: Plot, value: number): number =>
  left + ((value - low) / (high - low)) * width;

export function placeY({ top, height, y: [low, high], log }: Plot, value: number): number {
  const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return top + (1 - share) * height;
}

/** The value at a position in a plot. */
export const valueAtX = ({ left, width, x: [low, high] }: Plot, place: number): number =>
  low + ((place - left) / width) * (high - low);

export function valueAtY({ top, height, y: [low, high], log }: Plot, place: number): number {
  const share = 1 - (place - top) / height;
  return log ? low * (high / low) ** share : low + share * (high - low);
}

/** The points of a line inside the plot, and one beyond each edge. */
function points(plot: Plot, x: Float64Array, y: Float64Array): Float64Array {
  const from = Math.max(0, firstAtLeast(x, plot.x[0]) - 1);
  const to = Math.min(x.length, firstAtLeast(x, plot.x[1]) + 1);
  const places = new Float64Array(Math.max(0, to - from) * 2);
  let count = 0;
  for (let at = from; at < to; at++) {
    if (plot.log && y[at]! <= 0) continue;
    places[count++] = placeX(plot, x[at]!);
    places[count++] = placeY(plot, y[at]!);
  }
  return places.subarray(0, count);
}

export interface Look {
  highContrast: boolean;
  /** Id of the current line; the others are paler. */
  current?: string | undefined;
}

/** Draws smoothed lines over faint recorded ones. */
export function drawLines(pen: Pen, plot: Plot, lines: readonly ChartLine[], { highContrast, current }: Look): void {
  const width = highContrast ? 2.25 : 1.5;
  const pale = (id: string) => (current !== undefined && current !== id ? 0.45 : 1);
  for (const { id, x, y, smoothX, color, dash } of lines) {
    const beneath = smoothX.length > 0;
    const opacity = (beneath ? (highContrast ? 0.35 : 0.22) : 1) * pale(id);
    pen.line(points(plot, x, y), { color, width: beneath ? 1 : width, dash: beneath ? [] : dash, opacity });
  }
  for (const { id, smoothX, smoothY, color, dash } of lines) {
    if (smoothX.length > 0)
      pen.line(points(plot, smoothX, smoothY), { color, width: width + 0.25, dash, opacity: pale(id) });
  }
}

/** Lines with more points per pixel are drawn one pixel wide: wider is much slower and looks the same. */
const dense = 1.2;
/** Points per stroke: browsers without a GPU draw many short strokes much faster than one long stroke. */
const strokePoints = 48;

/** Draws on a canvas whose units are CSS pixels. */
export class CanvasPen implements Pen {
  readonly #context: CanvasRenderingContext2D;
  readonly #ratio: number;

  /** @param ratio pixels per CSS pixel. */
  constructor(context: CanvasRenderingContext2D, ratio = devicePixelRatio) {
    this.#context = context;
    this.#ratio = ratio;
  }

  line(points: Float64Array, { color, width, dash, opacity }: LineStyle): void {
    const context = this.#context;
    const count = points.length / 2;
    const span = count > 1 ? points.at(-2)! - points[0]! : 0;
    const isDense = count > span * this.#ratio * dense + 2;
    context.globalAlpha = opacity;
    context.strokeStyle = color;
    context.lineWidth = isDense || width === 1 ? Math.min(width, 1 / this.#ratio) : width;
    context.lineJoin = "bevel";
    context.setLineDash(isDense ? [] : (dash as number[]));
    let drawn = 0;
    const step = opacity < 1 || context.lineWidth * this.#ratio <= 1 ? count : strokePoints;
    for (let from = 0; from < count; from += step) {
      context.lineDashOffset = drawn;
      drawn += this.#stroke(points, from, Math.min(from + step, count - 1));
    }
    context.globalAlpha = 1;
    context.lineDashOffset = 0;
  }

  /** Strokes from one point to another. @returns the length, CSS pixels. */
  #stroke(points: Float64Array, from: number, to: number): number {
    const context = this.#context;
    let [x, y] = [points[from * 2]!, points[from * 2 + 1]!];
    let length = 0;
    context.beginPath();
    context.moveTo(x, y);
    for (let at = from + 1; at <= to; at++) {
      const [nextX, nextY] = [points[at * 2]!, points[at * 2 + 1]!];
      context.lineTo(nextX, nextY);
      length += Math.hypot(nextX - x, nextY - y);
      [x, y] = [nextX, nextY];
    }
    // A single point would be invisible.
    if (points.length === 2) context.lineTo(x + 1, y);
    context.stroke();
    return length;
  }
}
