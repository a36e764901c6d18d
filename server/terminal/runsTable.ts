import type { ComparedRow, ComparisonOfRuns, Measured } from "../protocol/comparison.ts";
import { count, duration, flops, percent } from "../protocol/format.ts";
import { modelLabel } from "../protocol/stageKinds.ts";
import { clean, cutMiddle, styles, wrap } from "./ansi.ts";
import { type TableOptions, UNITS } from "./comparisonTable.ts";
import {
  beginsBaselines,
  fairness,
  orderedRows,
  ratioText,
  routingText,
  rowName,
  type Shown,
  standingMark,
  statisticText,
} from "./fairness.ts";
import { domainHeads, type GridColumn, type GridRow, grid } from "./grid.ts";
import { configuration } from "./settings.ts";

/** Width of model names and their settings, columns. */
const LABEL = 26;

function labelOf(row: ComparedRow): GridRow["label"] {
  const [first = "", ...more] = wrap(clean(modelLabel(row.model)), LABEL);
  const settings = wrap(clean(configuration(row).join(", ")), LABEL - 2);
  return [first, ...more, ...settings.map((line) => `  ${line}`)];
}

/** One column per domain, and their mean if there are several. */
function measuredColumns(
  rows: readonly ComparedRow[],
  shown: Shown,
  group: string,
  heads: ReadonlyMap<string, string>,
): GridColumn[] {
  const of = (pick: (value: Measured) => Measured["mean"] | undefined, head: string): GridColumn => {
    const values = rows.map((row) => row[shown] && pick(row[shown]));
    const marks = values.flatMap((value, row) => {
      const mark = standingMark(value);
      return mark === undefined ? [] : [[row, mark] as const];
    });
    return { group, head, cells: values.map((value) => statisticText(value, shown)), marks: new Map(marks) };
  };
  const domains = [...heads].filter(([domain]) => rows.some((row) => row[shown]?.domains[domain]));
  const columns = domains.map(([domain, head]) => of((value) => value.domains[domain], head));
  return domains.length > 1 ? [...columns, of((value) => value.mean, "mean")] : columns;
}

const or = (value: number | undefined, text: (value: number) => string): string =>
  value === undefined ? "–" : text(value);

function costColumns(rows: readonly ComparedRow[]): GridColumn[] {
  const column = (group: string, head: string, cell: (row: ComparedRow) => string): GridColumn => ({
    group,
    head,
    cells: rows.map(cell),
  });
  return [
    column("beyond the seed", "tokens", (row) => or(row.tokens?.beyondSeed, count)),
    column("beyond the seed", "compute", (row) => or(row.flops?.beyondSeed, flops)),
    column("with the seed", "compute", (row) => or(row.flops?.total, flops)),
    column("parameters", "total", (row) => or(row.parameters, count)),
    column("parameters", "active", (row) => or(row.activeParameters, count)),
    column("device", "time", (row) => or(row.seconds, duration)),
  ];
}

/** The experts' shares of each domain's routed tokens, for one row. */
function routingTable(row: ComparedRow, { color, columns: room = 100 }: TableOptions): string | undefined {
  const { routing } = row;
  if (!routing) return undefined;
  const style = styles(color);
  const rows = routing.experts.map((expert): GridRow => ({ label: [cutMiddle(clean(expert), LABEL)] }));
  const heads = domainHeads(routing.domains, room - LABEL);
  const columns = routing.domains.map(
    (domain, at): GridColumn => ({
      group: "",
      head: heads.get(domain) ?? domain,
      cells: routing.share.map((domains) => percent(domains[at] ?? 0, 1)),
    }),
  );
  const name = wrap(`${clean(rowName(row))}: shares of routed tokens`, room);
  const table = grid(rows, columns, { head: "expert", room, style });
  return [...name.map(style.bold), table, ...wrap(clean(routingText(routing)), room)].join("\n");
}

/**
 * Models of several runs for a terminal: what is held equal, then a table with one line per model and its settings
 * below: held-out loss and exact match as mean ± standard deviation (random seeds), training and size. Below it, the
 * experts' shares of tokens.
 */
export function runsTable(comparison: ComparisonOfRuns, options: TableOptions): string {
  const { color, columns: room = 100 } = options;
  const rows = orderedRows(comparison);
  const style = styles(color);
  const none = comparison.runs.filter(({ models }) => models === 0).map(({ id }) => id);
  const skipped = none.length > 0 ? [`No evaluated model yet: ${none.join(", ")}.`] : [];
  const paragraphs = (texts: readonly string[]) => texts.flatMap((text) => wrap(clean(text), room)).join("\n");
  if (rows.length === 0) return "No model of these runs has been evaluated yet.\n";
  const heads = domainHeads(comparison.domains, room - LABEL);
  const against: GridColumn = {
    group: "vs BTX",
    head: comparison.equal === "tokens" ? "tokens" : "FLOPs",
    cells: rows.map((row) => ratioText(row[comparison.equal])),
  };
  const columns = [
    against,
    ...measuredColumns(rows, "loss", UNITS[comparison.measure], heads),
    ...measuredColumns(rows, "exactMatch", UNITS.exactMatch, heads),
    ...costColumns(rows),
  ];
  const lines = rows.map((row, index): GridRow => ({ label: labelOf(row), rule: beginsBaselines(rows, index) }));
  const notes = [
    "* best of its column; ≈ not different from the best: Welch's t-test over random seeds, 5 %.",
    "a ± b (n): mean and standard deviation over n random seeds; one number: a single seed.",
    ...comparison.notes,
  ];
  const parts = [
    paragraphs([...fairness(comparison), ...skipped]),
    grid(lines, columns, { head: "model", room, style }),
    style.dim(paragraphs(notes)),
    ...rows.flatMap((row) => routingTable(row, options) ?? []),
  ];
  return `${parts.join("\n\n")}\n`;
}
