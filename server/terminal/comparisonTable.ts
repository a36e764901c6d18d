import { loss, percent } from "../protocol/format.ts";
import type { RunSummary } from "../protocol/run.ts";
import { clean, cutMiddle, styles, width } from "./ansi.ts";
import { type Column, comparison, type Measure } from "./comparison.ts";
import { domainHeads, type GridColumn, type GridRow, grid } from "./grid.ts";

/** Units of measures, as column headings. */
export const UNITS: Record<Measure, string> = {
  nats: "nats per token",
  bitsPerByte: "bits per byte",
  exactMatch: "exact match",
};

export interface TableOptions {
  color: boolean;
  /** Maximum width of the table, columns; default 100. */
  columns?: number;
}

const cell = (value: number | undefined, measure: Measure): string =>
  value === undefined ? "–" : measure === "exactMatch" ? percent(value, 1) : loss(value);

/**
 * A run's table for a terminal: one line per model with held-out loss in nats per token by domain and mean, bits per
 * byte and exact match. The best value of each column is marked with `*`; baselines are below a rule. Columns that do
 * not fit follow in further blocks.
 */
export function comparisonTable(summary: RunSummary, { color, columns: room = 100 }: TableOptions): string {
  const table = comparison(summary);
  if (table.rows.length === 0) return "No model of this run has been evaluated yet.\n";
  const style = styles(color);
  const rows = table.rows.map(
    ({ label, baseline }, index): GridRow => ({
      label: [cutMiddle(clean(label), 22)],
      rule: baseline && index > 0 && !table.rows[index - 1]?.baseline,
    }),
  );
  const labelWidth = Math.max(5, ...rows.map(({ label }) => width(label[0])));
  const names = domainHeads(table.domains, room - labelWidth);
  // For bits per byte, the mean is enough here: the report has every domain.
  const shown = table.columns.filter(
    ({ measure, domain }, _, all) =>
      measure !== "bitsPerByte" || domain === "mean" || !all.some((c) => c.measure === measure && c.domain === "mean"),
  );
  const columns = shown.map(
    ({ measure, domain, values, best }: Column): GridColumn => ({
      group: UNITS[measure],
      head: names.get(domain) ?? domain,
      cells: values.map((value) => cell(value, measure)),
      marks: new Map([...best].map((row) => [row, "*"])),
    }),
  );
  const note = style.dim("* best of its column; higher is better for exact match, lower for everything else");
  const plainNote = shown.some((c) => c.measure === "exactMatch") ? note : style.dim("* best of its column (lowest)");
  return `${grid(rows, columns, { head: "model", room, style })}\n${plainNote}\n`;
}
