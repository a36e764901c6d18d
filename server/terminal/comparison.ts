import { loss } from "../protocol/format.ts";
import type { RunSummary } from "../protocol/run.ts";
import type { StageKind } from "../protocol/stage.ts";
import { isBaseline, kindOfName, modelLabel, modelOrder } from "../protocol/stageKinds.ts";

/**
 * A run's models compared by domain: the models in the order of the method, then the baselines. For terminal and
 * report.
 */

export type Measure = "nats" | "bitsPerByte" | "exactMatch";

export interface ModelRow {
  /** Name in the summary: "expert:code". */
  name: string;
  /** Name for people: "Expert code". */
  label: string;
  /** True for models that BTX is compared with rather than built from. */
  baseline: boolean;
}

/** One measure on one domain, or its mean over domains. */
export interface Column {
  measure: Measure;
  /** "mean" for the mean. */
  domain: string;
  /** One per row; absent if not measured. */
  values: (number | undefined)[];
  /** Rows with the best printed value; several on a tie, none if all are equal. */
  best: ReadonlySet<number>;
}

export interface Comparison {
  rows: ModelRow[];
  domains: string[];
  columns: Column[];
}

/** Decimals of each measure; exact match is printed in percent. */
const DECIMALS: Record<Measure, number> = { nats: 3, bitsPerByte: 3, exactMatch: 3 };
const MEAN = "mean";

function valueAt(table: RunSummary["losses"], model: string, domain: string): number | undefined {
  const row = Object.hasOwn(table, model) ? table[model] : undefined;
  const value = row !== undefined && Object.hasOwn(row, domain) ? row[domain] : undefined;
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

function bestOf(values: (number | undefined)[], measure: Measure): Set<number> {
  const scale = 10 ** DECIMALS[measure];
  const printed = values.map((value) => (value === undefined ? undefined : Math.round(value * scale)));
  const present = printed.filter((value) => value !== undefined);
  if (new Set(present).size < 2) return new Set();
  const best = present.reduce((a, b) => (measure === "exactMatch" ? Math.max(a, b) : Math.min(a, b)));
  return new Set(printed.flatMap((value, row) => (value === best ? [row] : [])));
}

/**
 * The comparison of a run's models: columns of nats per token, then bits per byte, then exact match, each by domain and
 * mean.
 */
export function comparison(summary: RunSummary): Comparison {
  const tables: [Measure, RunSummary["losses"]][] = [
    ["nats", summary.losses],
    ["bitsPerByte", summary.bitsPerByte],
    ["exactMatch", summary.exactMatch],
  ];
  const names = modelOrder(new Set(tables.flatMap(([, table]) => Object.keys(table))));
  const domains = [
    ...new Set(tables.flatMap(([, table]) => Object.values(table).flatMap((row) => Object.keys(row)))),
  ].filter((domain) => domain !== MEAN);
  const columns = tables.flatMap(([measure, table]) => {
    const measured = [...domains, MEAN]
      .map((domain) => ({ domain, values: names.map((name) => valueAt(table, name, domain)) }))
      .filter(({ values }) => values.some((value) => value !== undefined));
    // A mean over one domain only repeats that domain's column.
    const shown = measured.length === 2 ? measured.filter(({ domain }) => domain !== MEAN) : measured;
    return shown.map(({ domain, values }) => ({ measure, domain, values, best: bestOf(values, measure) }));
  });
  const rows = names.map((name) => ({ name, label: modelLabel(name), baseline: isBaseline(name) }));
  return { rows, domains, columns };
}

/** The lowest mean held-out loss of a run, nats per token, and its model; absent if nothing was evaluated. */
export function bestMean(
  summary: RunSummary,
  among: (name: string) => boolean = () => true,
): { name: string; nats: number } | undefined {
  let best: { name: string; nats: number } | undefined;
  for (const name of modelOrder(Object.keys(summary.losses)).filter(among)) {
    const nats = valueAt(summary.losses, name, MEAN);
    if (nats !== undefined && (best === undefined || nats < best.nats)) best = { name, nats };
  }
  return best;
}

/**
 * A run's result in one sentence: "BTX: mean held-out loss 2.310 nats per token, 0.120 below the best expert (code,
 * 2.430)."
 */
export function headline(summary: RunSummary): string {
  const ofKind = (kind: StageKind) => bestMean(summary, (name) => kindOfName(name) === kind);
  const result = ofKind("finetune") ?? ofKind("mix");
  if (result === undefined) {
    const other = bestMean(summary);
    if (other === undefined) return "No model of this run has been evaluated yet.";
    return `No mixed model has been evaluated yet; the lowest mean held-out loss is ${loss(other.nats)} nats per token (${modelLabel(other.name)}).`;
  }
  const start = `${modelLabel(result.name)}: mean held-out loss ${loss(result.nats)} nats per token`;
  const expert = ofKind("expert");
  const other = expert ?? ofKind("seed");
  if (other === undefined) return `${start}.`;
  const [ours, theirs] = [Number(loss(result.nats)), Number(loss(other.nats))];
  const distance = loss(Math.abs(theirs - ours));
  const where = ours === theirs ? "level with" : `${distance} ${ours < theirs ? "below" : "above"}`;
  const whom = expert
    ? `the best expert (${other.name.replace(/^expert:/, "")}, ${loss(other.nats)})`
    : `the seed (${loss(other.nats)})`;
  return `${start}, ${where} ${whom}.`;
}
