import { firstAtLeast } from "../../protocol/ascending.ts";
import type { Extremes } from "./extremes.ts";
import type { Means } from "./means.ts";

/** A line thinned out to what pixels can show. */
export interface Points {
  x: Float64Array;
  y: Float64Array;
}

export interface Window {
  low: number;
  high: number;
  columns: number;
}

/**
 * The lowest and the highest value of each pixel column, in the order in which they were recorded: at most two points a
 * column, all of them values that were recorded, so a spike of a single step stays. One point on either side of the
 * window goes with it, for the line to leave the picture where it should.
 *
 * @param shift is added to x; `low` and `high` of the window include it.
 */
export function thin(x: Float64Array, y: Float64Array, extremes: Extremes, window: Window, shift = 0): Points {
  const kept: number[] = [];
  const from = firstAtLeast(x, window.low - shift);
  const to = firstAfter(x, window.high - shift);
  if (from > 0) kept.push(from - 1);
  if (to - from <= 2 * window.columns) {
    for (let at = from; at < to; at++) kept.push(at);
  } else {
    const width = (window.high - window.low) / window.columns;
    let start = from;
    for (let column = 1; column <= window.columns && start < to; column++) {
      const end = column === window.columns ? to : nextBoundary(x, window.low - shift + column * width, start, to);
      if (end === start) continue;
      const { low, high } = extremes.find(y, start, end);
      if (low >= 0) kept.push(Math.min(low, high));
      if (low !== high) kept.push(Math.max(low, high));
      start = end;
    }
  }
  if (to < x.length) kept.push(to);
  const numbers = kept.filter((at) => !Number.isNaN(y[at]));
  return {
    x: Float64Array.from(numbers, (at) => x[at]! + shift),
    y: Float64Array.from(numbers, (at) => y[at]!),
  };
}

/** The moving mean at the last value of each pixel column, or at each value where there are fewer. */
export function smooth(x: Float64Array, means: Means, size: number, window: Window, shift = 0): Points {
  const places: number[] = [];
  const from = Math.max(0, firstAtLeast(x, window.low - shift) - 1);
  const to = Math.min(x.length, firstAfter(x, window.high - shift) + 1);
  if (to - from <= window.columns) {
    for (let at = from; at < to; at++) places.push(at);
  } else {
    const width = (window.high - window.low) / window.columns;
    if (from < to) places.push(from);
    let start = from + 1;
    for (let column = 1; column <= window.columns && start < to; column++) {
      const end = column === window.columns ? to : nextBoundary(x, window.low - shift + column * width, start, to);
      if (end > start) places.push(end - 1);
      start = end;
    }
  }
  const y = places.map((at) => means.around(at, size));
  const kept = places.filter((_, index) => !Number.isNaN(y[index]));
  return {
    x: Float64Array.from(kept, (at) => x[at]! + shift),
    y: Float64Array.from(y.filter((value) => !Number.isNaN(value))),
  };
}

/** The first index whose x is more than `value`. */
export function firstAfter(x: Float64Array, value: number): number {
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (x[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first index of [start, end) whose x is at least `value`: near `start`, so looked for with growing strides. */
function nextBoundary(x: Float64Array, value: number, start: number, end: number): number {
  let low = start;
  let stride = 1;
  while (low + stride < end && x[low + stride]! < value) {
    low += stride;
    stride *= 2;
  }
  let high = Math.min(low + stride, end);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (x[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
