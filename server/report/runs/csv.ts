import type { ComparedRow, ComparisonOfRuns, Measured, Statistic } from "../../protocol/comparison.ts";
import { type CsvCell, csvRow } from "../../protocol/csv.ts";
import { orderedRows } from "../../terminal/fairness.ts";
import { configuration } from "../../terminal/settings.ts";

/** A column of means and one of standard deviations, for each domain and for the mean. */
function* statistics(name: string, domains: readonly string[], of: Measured | undefined): Generator<[string, CsvCell]> {
  const columns: [string, Statistic | undefined][] = domains.map((domain) => [domain, of?.domains[domain]]);
  for (const [domain, value] of [...columns, ["mean", of?.mean] as const]) {
    yield [`${name}_${domain}`, value?.mean];
    yield [`${name}_${domain}_deviation`, value?.deviation];
  }
}

function cells(row: ComparedRow, { measure, domains, rows }: ComparisonOfRuns): [string, CsvCell][] {
  const answered = domains.filter((domain) => rows.some(({ exactMatch }) => exactMatch?.domains[domain]));
  const loss = measure === "nats" ? "loss_nats_per_token" : "loss_bits_per_byte";
  return [
    ["model", row.model],
    ["configuration", configuration(row).join("; ")],
    ["signature", row.signature],
    ["random_seeds", row.samples.length],
    ...statistics(loss, domains, row.loss),
    ["standing", row.loss.mean.standing],
    ...(answered.length > 0 ? statistics("exact_match_share", answered, row.exactMatch) : []),
    ["training_tokens", row.tokens?.total],
    ["training_tokens_beyond_seed", row.tokens?.beyondSeed],
    ["training_tokens_vs_btx_ratio", row.tokens?.ratio],
    ["training_flops", row.flops?.total],
    ["training_flops_beyond_seed", row.flops?.beyondSeed],
    ["training_flops_vs_btx_ratio", row.flops?.ratio],
    ["parameters", row.parameters],
    ["active_parameters", row.activeParameters],
    ["device_seconds", row.seconds],
    ["largest_routed_share", row.routing?.largest.share],
    ["smallest_routed_share", row.routing?.smallest.share],
    ["dropped_tokens_share", row.routing?.dropped],
  ];
}

/** One line per row of the comparison, below a line of names. */
export function comparisonCsv(comparison: ComparisonOfRuns): string {
  const rows = orderedRows(comparison).map((row) => cells(row, comparison));
  const head = rows.slice(0, 1).map((row) => row.map(([name]) => name));
  const lines = rows.map((row) => row.map(([, cell]) => cell));
  return [...head, ...lines].map(csvRow).join("");
}
