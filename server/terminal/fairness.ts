import type { Amount, ComparedRow, ComparisonOfRuns, Statistic } from "../protocol/comparison.ts";
import { count, flops, loss, percent, percentNumber } from "../protocol/format.ts";
import { isBaseline, modelLabel, modelOrder } from "../protocol/stageKinds.ts";
import { configuration } from "./settings.ts";

/** A comparison of runs in words, for the terminal and the page. */

/** The rows in the display order of models; rows of one model in the order of the runs. */
export function orderedRows({ rows }: ComparisonOfRuns): ComparedRow[] {
  const names = modelOrder(new Set(rows.map(({ model }) => model)));
  return names.flatMap((name) => rows.filter(({ model }) => model === name));
}

/** Whether the baselines begin with this row, so that a rule separates it from the previous one. */
export const beginsBaselines = (rows: readonly ComparedRow[], index: number): boolean =>
  index > 0 && isBaseline(rows[index]?.model ?? "") && !isBaseline(rows[index - 1]?.model ?? "");

/** "BTX" or "BTX (router switch, freeze experts)". */
export function rowName(row: ComparedRow): string {
  const settings = configuration(row);
  return `${modelLabel(row.model)}${settings.length > 0 ? ` (${settings.join(", ")})` : ""}`;
}

export type Shown = "loss" | "exactMatch";

/** "2.598 ± 0.012 (3)": mean, sample standard deviation and number of random seeds; "2.598" for one seed. */
export function statisticText(value: Statistic | undefined, shown: Shown): string {
  if (value === undefined) return "–";
  const text = (number: number) => (shown === "loss" ? loss(number) : percentNumber(number));
  const unit = shown === "loss" ? "" : " %";
  if (value.deviation === undefined) return `${text(value.mean)}${unit}`;
  return `${text(value.mean)} ± ${text(value.deviation)}${unit} (${value.count})`;
}

/** The mark of a value in its column: best, or not different from the best. */
export function standingMark(value: Statistic | undefined): string | undefined {
  return value?.standing === "best" ? "*" : value?.standing === "not-different" ? "≈" : undefined;
}

/** "=", "×1.32", or a dash if unknown. */
export function ratioText(amount: Amount | undefined): string {
  if (amount?.ratio === undefined) return "–";
  if (amount.equal) return "=";
  const { ratio } = amount;
  if (ratio === 0) return "×0";
  return ratio < 0.01 ? "×<0.01" : `×${ratio.toFixed(ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0)}`;
}

/** Sentences for the top of a comparison: what is held equal, and for which rows. */
export function fairness(comparison: ComparisonOfRuns): string[] {
  const { equal, reference, rows } = comparison;
  const base = reference === undefined ? undefined : rows[reference];
  const own = base?.[equal];
  if (!base || own?.ratio === undefined)
    return ["Training is not compared, because the training of a finetuned BTX model is unknown."];
  const amounts =
    equal === "tokens"
      ? `were trained on the same number of tokens beyond the seed as ${rowName(base)}, ${count(own.beyondSeed)} within 1 %`
      : `took the same training FLOPs beyond the seed as ${rowName(base)}, ${flops(own.beyondSeed)} within 1 %`;
  const what = equal === "tokens" ? "tokens" : "FLOPs";
  const listed = (key: "tokens" | "flops") => {
    const names = orderedRows(comparison)
      .filter((row) => row[key]?.equal)
      .map(rowName);
    return names.length > 1 ? names.join("; ") : `${names[0]} alone`;
  };
  return [
    `Compared at equal ${what}: rows marked = ${amounts}; × is the ratio for other rows.`,
    `Equal training tokens: ${listed("tokens")}.`,
    `Equal training FLOPs: ${listed("flops")}.`,
  ];
}

/** "largest 62.1 % (layer 3, code), smallest 0.4 % (layer 0, seed), even 25.0 %, dropped 2.1 %" */
export function routingText({ largest, smallest, experts, dropped }: NonNullable<ComparedRow["routing"]>): string {
  const at = ({ layer, expert, share }: typeof largest) => `${percent(share, 1)} (layer ${layer}, ${expert})`;
  const lost = dropped === undefined ? "" : `, dropped ${percent(dropped, 1)}`;
  return `largest ${at(largest)}, smallest ${at(smallest)}, even ${percent(1 / experts.length, 1)}${lost}`;
}
