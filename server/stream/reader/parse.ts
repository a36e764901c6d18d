/**
 * Reads lines of `metrics.jsonl` straight from bytes: flat objects of numbers, as `JSON.stringify` writes them, several
 * times faster than `JSON.parse`. Other lines go through `JSON.parse`; invalid JSON is skipped.
 */

import { axisSchema, measureSchema } from "../../protocol/stream.ts";

/** Values that are kept; the rest of a line is skipped. */
export const columnNames = [...axisSchema.options, ...measureSchema.options] as const;
export type ColumnName = (typeof columnNames)[number];

const [newline, quote, comma, colon, open, close, minus, dot] = [10, 34, 44, 58, 123, 125, 45, 46];
const zero = 48;
/** Powers of ten that float64 holds exactly. */
const powers = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

const names = columnNames.map((name) => Buffer.from(name, "latin1"));
const step = columnNames.indexOf("step");

/**
 * Calls `row` for each complete line that has a step, with the line's values in the order of `columnNames` (NaN if
 * absent; the array is reused for the next line).
 *
 * @returns the offset after the last complete line.
 */
export function parseMetrics(bytes: Buffer, row: (values: Float64Array) => void): number {
  const values = new Float64Array(columnNames.length);
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(newline, start);
    if (end < 0) return start;
    values.fill(Number.NaN);
    if (!fast(bytes, start, end, values)) slow(bytes.toString("utf8", start, end), values);
    if (!Number.isNaN(values[step])) row(values);
    start = end + 1;
  }
}

/** Reads `{"name":number,...}` without white space; false for anything else. */
function fast(bytes: Buffer, start: number, end: number, values: Float64Array): boolean {
  let at = start;
  if (bytes[at++] !== open) return false;
  /** The column after the one found last: lines have their keys in one order, mostly that of the names. */
  let hint = 0;
  for (;;) {
    if (bytes[at++] !== quote) return false;
    const nameEnd = bytes.indexOf(quote, at);
    if (nameEnd < 0 || nameEnd >= end || bytes[nameEnd + 1] !== colon) return false;
    const column = columnOf(bytes, at, nameEnd, hint);
    if (column >= 0) hint = column + 1;
    at = nameEnd + 2;
    const numberStart = at;
    while (at < end && bytes[at] !== comma && bytes[at] !== close) at++;
    const value = parseNumber(bytes, numberStart, at);
    if (Number.isNaN(value)) return false;
    if (column >= 0) values[column] = value;
    if (bytes[at] === close) return at + 1 === end;
    if (bytes[at++] !== comma) return false;
  }
}

function columnOf(bytes: Buffer, start: number, end: number, hint: number): number {
  for (let tried = 0; tried < names.length; tried++) {
    const column = (hint + tried) % names.length;
    const name = names[column]!;
    if (name.length !== end - start) continue;
    let at = 0;
    while (at < name.length && bytes[start + at] === name[at]) at++;
    if (at === name.length) return column;
  }
  return -1;
}

/**
 * A JSON number to the last bit; NaN for anything else. Up to 15 digits are exact as an integer, and so is its product
 * or quotient with a power of ten up to 22 rounded once; longer ones are left to the engine.
 */
function parseNumber(bytes: Buffer, start: number, end: number): number {
  let at = start;
  const negative = bytes[at] === minus;
  if (negative) at++;
  let mantissa = 0;
  let digits = 0;
  let decimals = -1;
  for (; at < end; at++) {
    const code = bytes[at]!;
    if (code === dot && decimals < 0) {
      decimals = 0;
      continue;
    }
    const digit = code - zero;
    if (digit < 0 || digit > 9 || digits >= 15) return byEngine(bytes, start, end);
    mantissa = mantissa * 10 + digit;
    if (mantissa > 0) digits++;
    if (decimals >= 0) decimals++;
  }
  if (at === start + (negative ? 1 : 0) || decimals > 22) return byEngine(bytes, start, end);
  const value = decimals > 0 ? mantissa / powers[decimals]! : mantissa;
  return negative ? -value : value;
}

function byEngine(bytes: Buffer, start: number, end: number): number {
  const text = bytes.toString("latin1", start, end);
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

function slow(text: string, values: Float64Array): void {
  values.fill(Number.NaN);
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return;
  }
  if (typeof line !== "object" || line === null) return;
  for (const [column, name] of columnNames.entries()) {
    const value = (line as Record<string, unknown>)[name];
    if (typeof value === "number") values[column] = value;
  }
}
