import type { RunSummary } from "../protocol/run.ts";
import { clean, cutMiddle, padEnd, padStart, type Styles, styles, width } from "./ansi.ts";
import { type Column, type Comparison, comparison, type Measure } from "./comparison.ts";
import { loss, percent } from "./format.ts";

const UNITS: Record<Measure, string> = {
  nats: "nats a token",
  bitsPerByte: "bits a byte",
  exactMatch: "exact match",
};
const GAP = "  ";
const BETWEEN_MEASURES = "   ";
const WIDEST_DOMAIN = 14;
const NARROWEST_DOMAIN = 7;
/** Columns of a value such as "12.345" and the mark of the best. */
const VALUE = 7;

export interface TableOptions {
  color: boolean;
  /** Columns that the table may take; 100 unless told. */
  columns?: number;
}

/** A table's columns that stand side by side, and what they share. */
interface Block {
  columns: Column[];
  /** Width of each column, mark included. */
  widths: number[];
}

/** Each name in at most `columns`, cut so that no two are alike. */
function cutNames(names: readonly string[], columns: number): Map<string, string> {
  const taken = new Set<string>();
  const cut = new Map<string, string>();
  for (const name of names) {
    let text = cutMiddle(clean(name), columns);
    for (let number = 2; taken.has(text); number++) {
      text = `${cutMiddle(clean(name), columns - String(number).length - 1)}~${number}`;
    }
    taken.add(text);
    cut.set(name, text);
  }
  return cut;
}

const gapBefore = (columns: readonly Column[], index: number) =>
  index > 0 && columns[index - 1]?.measure !== columns[index]?.measure ? BETWEEN_MEASURES : GAP;

/** The width of each column, mark included: a name stands over the digits, and the mark of the best hangs to their right. */
function widthsOf(columns: readonly Column[], names: ReadonlyMap<string, string>): number[] {
  const widths = columns.map(({ domain }) => Math.max(VALUE, width(names.get(domain) ?? "") + 1));
  for (const [measure, unit] of Object.entries(UNITS)) {
    const own = columns.flatMap((column, index) => (column.measure === measure ? [index] : []));
    const last = own.at(-1);
    if (last === undefined) continue;
    const span = own.reduce((sum, index) => sum + (widths[index] ?? 0) + GAP.length, -GAP.length);
    widths[last] = (widths[last] ?? 0) + Math.max(0, unit.length + 1 - span);
  }
  return widths;
}

/** Columns side by side as long as they fit in `room`, the rest in further blocks below. */
function blocksOf(columns: Column[], names: ReadonlyMap<string, string>, labelWidth: number, room: number): Block[] {
  const blocks: Block[] = [];
  for (const column of columns) {
    const wider = [...(blocks.at(-1)?.columns ?? []), column];
    const widths = widthsOf(wider, names);
    const whole = widths.reduce((sum, wide, index) => sum + gapBefore(wider, index).length + wide, labelWidth);
    if (wider.length > 1 && whole <= room) blocks.splice(-1, 1, { columns: wider, widths });
    else blocks.push({ columns: [column], widths: widthsOf([column], names) });
  }
  return blocks;
}

function cell(column: Column, row: number, wide: number, style: Styles): string {
  const value = column.values[row];
  const text = value === undefined ? "–" : column.measure === "exactMatch" ? percent(value, 1) : loss(value);
  const filled = padStart(text, wide - 1);
  return column.best.has(row) ? style.bold(`${filled}*`) : `${filled} `;
}

function blockLines(
  { columns, widths }: Block,
  { rows }: Comparison,
  names: Map<string, string>,
  labels: string[],
  style: Styles,
) {
  const labelWidth = Math.max(...labels.map(width));
  let units = " ".repeat(labelWidth);
  let heads = padEnd("model", labelWidth);
  for (let first = 0; first < columns.length; ) {
    const measure = columns[first]?.measure ?? "nats";
    let end = first;
    let span = 0;
    for (; end < columns.length && columns[end]?.measure === measure; end++) {
      const gap = gapBefore(columns, end);
      heads += `${gap}${padStart(names.get(columns[end]?.domain ?? "") ?? "", (widths[end] ?? 0) - 1)} `;
      span += (widths[end] ?? 0) + (end > first ? gap.length : 0);
    }
    units += `${gapBefore(columns, first)}${padStart(UNITS[measure], span - 1)} `;
    first = end;
  }
  const whole = Math.max(width(units), width(heads));
  const rule = style.dim("─".repeat(whole - 1));
  const lines = [style.dim(units), style.bold(heads), rule];
  rows.forEach((row, index) => {
    if (row.baseline && index > 0 && !rows[index - 1]?.baseline) lines.push(rule);
    const cells = columns.map((column, at) => gapBefore(columns, at) + cell(column, index, widths[at] ?? 0, style));
    lines.push(padEnd(labels[index] ?? "", labelWidth) + cells.join(""));
  });
  return lines;
}

/**
 * The table of a run for a terminal: a line a model, held-out loss in nats a token by domain and mean, bits a byte, exact match; the
 * best of each column is marked with `*`, baselines stand below a rule. What does not fit side by side follows in further blocks.
 */
export function comparisonTable(summary: RunSummary, { color, columns: room = 100 }: TableOptions): string {
  const table = comparison(summary);
  if (table.rows.length === 0) return "No model of this run has been evaluated yet.\n";
  const style = styles(color);
  const labels = table.rows.map((row) => cutMiddle(clean(row.label), 22));
  const labelWidth = Math.max(5, ...labels.map(width));
  const fair = Math.floor((room - labelWidth) / (table.domains.length + 2)) - GAP.length - 1;
  const names = cutNames(table.domains, Math.min(WIDEST_DOMAIN, Math.max(NARROWEST_DOMAIN, fair)));
  names.set("mean", "mean");
  // Of bits a byte the mean is enough here: the report has every domain.
  const shown = table.columns.filter(
    ({ measure, domain }, _, all) =>
      measure !== "bitsPerByte" || domain === "mean" || !all.some((c) => c.measure === measure && c.domain === "mean"),
  );
  const blocks = blocksOf(shown, names, labelWidth, room);
  const text = blocks.map((block) => {
    return blockLines(block, table, names, labels, style)
      .map((line) => line.trimEnd())
      .join("\n");
  });
  const note = style.dim(
    "* best of its column; exact match counts right answers, everything else is better when lower",
  );
  const plainNote = table.columns.some((c) => c.measure === "exactMatch")
    ? note
    : style.dim("* best of its column (lowest)");
  return `${text.join("\n\n")}\n${plainNote}\n`;
}
