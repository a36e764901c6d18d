import { firstAtLeast } from "../../server/protocol/ascending.ts";
import type { Range } from "../../server/protocol/stream.ts";

/** One line of a chart. Paired arrays have equal lengths; x is ascending. */
export interface ChartLine {
  id: string;
  label: string;
  /** CSS colour. */
  color: string;
  /** Dash pattern, CSS pixels; empty: solid. */
  dash: readonly number[];
  x: Float64Array;
  y: Float64Array;
  /** The smoothed line; if empty, the recorded line is drawn opaque. */
  smoothX: Float64Array;
  smoothY: Float64Array;
}

/** The index of the x that is nearest to `value`; -1 if the array is empty. */
export function nearest(x: Float64Array, value: number): number {
  const at = firstAtLeast(x, value);
  if (at === 0) return x.length > 0 ? 0 : -1;
  if (at === x.length) return x.length - 1;
  return value - x[at - 1]! <= x[at]! - value ? at - 1 : at;
}

/** Extends a range to the values of y whose x is in a window. */
function extend(range: Range, x: Float64Array, y: Float64Array, [low, high]: Range, positive: boolean): void {
  for (let at = firstAtLeast(x, low); at < x.length && x[at]! <= high; at++) {
    const value = y[at]!;
    if (!Number.isFinite(value) || (positive && value <= 0)) continue;
    if (value < range[0]) range[0] = value;
    if (value > range[1]) range[1] = value;
  }
}

/**
 * The range of y of the lines where x is in a window, with a margin. Smoothed lines count instead of recorded ones,
 * which are faint and may leave the chart. With `log` only positive values count.
 */
export function fittingY(lines: readonly ChartLine[], window: Range, log: boolean): Range {
  const range: Range = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { x, y, smoothX, smoothY } of lines) {
    if (smoothX.length > 0) extend(range, smoothX, smoothY, window, log);
    else extend(range, x, y, window, log);
  }
  const [low, high] = range;
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const room = high / low > 1.0001 ? (high / low) ** 0.05 : 1.1;
    return [low / room, high * room];
  }
  const room = high > low ? (high - low) * 0.05 : Math.max(Math.abs(high) * 0.05, 1e-9);
  // No recorded value is negative, so the axis does not extend below zero.
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}
