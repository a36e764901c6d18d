import { clean, cutMiddle, padEnd, padStart, type Styles, width } from "./ansi.ts";

/**
 * Tables of numbers with two header lines, for groups of columns and for columns. Columns that do not fit follow in
 * further blocks.
 */

export interface GridColumn {
  /** Heading over a group of columns, such as "nats per token". */
  group: string;
  head: string;
  /** One per row. */
  cells: readonly string[];
  /** One-column marks after cells, by row; `*` is bold. */
  marks?: ReadonlyMap<number, string>;
}

export interface GridRow {
  /** Lines of the label; the cells are next to the first. */
  label: readonly [string, ...string[]];
  /** True if a rule is drawn above the row. */
  rule?: boolean;
}

interface GridOptions {
  /** Heading of the labels. */
  head: string;
  /** Maximum width of a line, columns. */
  room: number;
  style: Styles;
}

/** Adjacent columns with their widths, marks included. */
interface Block {
  columns: GridColumn[];
  widths: number[];
}

const GAP = "  ";
const BETWEEN_GROUPS = "   ";
/** Width of a value such as "12.345" and its mark, columns. */
const VALUE = 7;

const gapBefore = (columns: readonly GridColumn[], index: number) =>
  index > 0 && columns[index - 1]?.group !== columns[index]?.group ? BETWEEN_GROUPS : GAP;

/** The width of each column, including its mark. Headings align with the digits; the mark is to their right. */
function widthsOf(columns: readonly GridColumn[]): number[] {
  const widths = columns.map(({ head, cells }) => Math.max(VALUE, width(head) + 1, ...cells.map((c) => width(c) + 1)));
  for (const group of new Set(columns.map((column) => column.group))) {
    const own = columns.flatMap((column, index) => (column.group === group ? [index] : []));
    const span = own.reduce((sum, index) => sum + (widths[index] ?? 0) + GAP.length, -GAP.length);
    const last = own.at(-1) ?? 0;
    widths[last] = (widths[last] ?? 0) + Math.max(0, width(group) + 1 - span);
  }
  return widths;
}

/** Splits columns into blocks that fit in `room`. */
function blocksOf(columns: readonly GridColumn[], labelWidth: number, room: number): Block[] {
  const blocks: Block[] = [];
  for (const column of columns) {
    const wider = [...(blocks.at(-1)?.columns ?? []), column];
    const widths = widthsOf(wider);
    const whole = widths.reduce((sum, wide, index) => sum + gapBefore(wider, index).length + wide, labelWidth);
    if (wider.length > 1 && whole <= room) blocks.splice(-1, 1, { columns: wider, widths });
    else blocks.push({ columns: [column], widths: widthsOf([column]) });
  }
  return blocks;
}

function cellOf({ cells, marks }: GridColumn, row: number, wide: number, style: Styles): string {
  const mark = marks?.get(row) ?? " ";
  const text = padStart(cells[row] ?? "", wide - 1) + mark;
  return mark === "*" ? style.bold(text) : text;
}

/** The line of group headings, each aligned with the end of its columns. */
function groupLine({ columns, widths }: Block, labelWidth: number): string {
  let line = " ".repeat(labelWidth);
  for (let first = 0; first < columns.length; ) {
    const group = columns[first]?.group ?? "";
    let end = first;
    let span = 0;
    for (; end < columns.length && columns[end]?.group === group; end++)
      span += (widths[end] ?? 0) + (end > first ? gapBefore(columns, end).length : 0);
    line += `${gapBefore(columns, first)}${padStart(group, span - 1)} `;
    first = end;
  }
  return line;
}

function blockLines(
  block: Block,
  rows: readonly GridRow[],
  labelWidth: number,
  { head, style }: GridOptions,
): string[] {
  const { columns, widths } = block;
  const groups = groupLine(block, labelWidth);
  const heads = columns.map((c, at) => `${gapBefore(columns, at)}${padStart(c.head, (widths[at] ?? 0) - 1)} `);
  const headLine = padEnd(head, labelWidth) + heads.join("");
  const rule = style.dim("─".repeat(Math.max(width(groups), width(headLine)) - 1));
  const lines = [...(groups.trim() === "" ? [] : [style.dim(groups)]), style.bold(headLine), rule];
  rows.forEach(({ label: [first, ...more], rule: above }, row) => {
    if (above) lines.push(rule);
    const cells = columns.map((column, at) => gapBefore(columns, at) + cellOf(column, row, widths[at] ?? 0, style));
    lines.push(padEnd(first, labelWidth) + cells.join(""), ...more.map((line) => style.dim(line)));
  });
  return lines;
}

/** The table as text, with an empty line between blocks. */
export function grid(rows: readonly GridRow[], columns: readonly GridColumn[], options: GridOptions): string {
  const labelWidth = Math.max(width(options.head), ...rows.flatMap(({ label }) => label.map(width)));
  const blocks = blocksOf(columns, labelWidth, options.room);
  return blocks
    .map((block) => blockLines(block, rows, labelWidth, options).map((line) => line.trimEnd()))
    .map((lines) => lines.join("\n"))
    .join("\n\n");
}

/** Each name, made safe for a terminal and cut to at most `columns`, such that no two are equal. */
export function cutNames(names: readonly string[], columns: number): Map<string, string> {
  const taken = new Set<string>();
  const cut = new Map<string, string>();
  for (const name of names) {
    let text = cutMiddle(clean(name), columns);
    for (let number = 2; taken.has(text); number++)
      text = `${cutMiddle(clean(name), columns - String(number).length - 1)}~${number}`;
    taken.add(text);
    cut.set(name, text);
  }
  return cut;
}

const WIDEST_DOMAIN = 14;
const NARROWEST_DOMAIN = 7;

/** Names of domains as headings of columns that share `room` with a label, within sensible widths. */
export function domainHeads(domains: readonly string[], room: number): Map<string, string> {
  const fair = Math.floor(room / (domains.length + 2)) - GAP.length - 1;
  return cutNames(domains, Math.min(WIDEST_DOMAIN, Math.max(NARROWEST_DOMAIN, fair)));
}
