import type { Range } from "../../server/protocol/stream.ts";
import { fittedContext } from "./canvasElement.ts";
import { type ChartLine, nearest } from "./chartLine.ts";
import { type Plot, placeX, placeY } from "./drawLines.ts";
import { theme } from "./theme.ts";

/** A rectangle while the user drags it, CSS pixels. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Marks over the lines; they move without redrawing the lines. */
export interface Marks {
  cursor: number | undefined;
  selection: Range | undefined;
  box: Box | undefined;
}

export function drawMarks(canvas: HTMLCanvasElement, plot: Plot, lines: readonly ChartLine[], marks: Marks): void {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const context = fittedContext(canvas, width, height);
  const { ink, page, focus, selection, highContrast } = theme();
  context.clearRect(0, 0, width, height);
  context.save();
  context.beginPath();
  context.rect(plot.left, plot.top, plot.width, plot.height);
  context.clip();
  if (marks.selection) {
    const [from, to] = marks.selection.map((value) => placeX(plot, value)) as [number, number];
    context.fillStyle = selection;
    context.globalAlpha = highContrast ? 0.35 : 0.5;
    context.fillRect(from, plot.top, to - from, plot.height);
    context.globalAlpha = 1;
    context.strokeStyle = focus;
    context.lineWidth = highContrast ? 2 : 1;
    context.strokeRect(from, plot.top - 2, to - from, plot.height + 4);
  }
  if (marks.box) {
    const { left, top, right, bottom } = marks.box;
    context.strokeStyle = focus;
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.strokeRect(left, top, right - left, bottom - top);
    context.setLineDash([]);
  }
  if (marks.cursor !== undefined) {
    const at = Math.round(placeX(plot, marks.cursor)) + 0.5;
    context.strokeStyle = ink;
    context.globalAlpha = highContrast ? 1 : 0.6;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(at, plot.top);
    context.lineTo(at, plot.top + plot.height);
    context.stroke();
    context.globalAlpha = 1;
    for (const { color, x, y } of pointsAt(lines, plot.x, marks.cursor)) {
      context.beginPath();
      context.arc(placeX(plot, x), placeY(plot, y), 3.5, 0, 2 * Math.PI);
      context.fillStyle = color;
      context.fill();
      context.strokeStyle = page;
      context.lineWidth = 1.5;
      context.stroke();
    }
  }
  context.restore();
}

/** A recorded point of a line, and the smoothed value there. */
export interface Reading {
  id: string;
  label: string;
  color: string;
  x: number;
  y: number;
  mean: number | undefined;
}

/** The nearest recorded point to an x, for each line that reaches it. */
export function pointsAt(lines: readonly ChartLine[], [low, high]: Range, at: number): Reading[] {
  const reach = (high - low) / 100;
  return lines.flatMap(({ id, label, color, x, y, smoothX, smoothY }): Reading[] => {
    const point = nearest(x, at);
    if (point < 0 || Math.abs(x[point]! - at) > Math.max(reach, spacing(x, point))) return [];
    const smooth = nearest(smoothX, x[point]!);
    return [{ id, label, color, x: x[point]!, y: y[point]!, mean: smooth < 0 ? undefined : smoothY[smooth] }];
  });
}

/** The larger distance to the two neighbouring points; 0 at an end of the line. */
const spacing = (x: Float64Array, at: number): number =>
  at > 0 && at < x.length - 1 ? Math.max(x[at]! - x[at - 1]!, x[at + 1]! - x[at]!) : 0;
