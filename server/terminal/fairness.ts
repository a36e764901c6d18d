import type { Amount, ComparedRow, ComparisonOfRuns, Statistic } from "../protocol/comparison.ts";
import { count, flops, loss, percent, percentNumber } from "../protocol/format.ts";
import { isBaseline, modelLabel, modelOrder } from "../protocol/stageKinds.ts";
import { configuration } from "./settings.ts";

/** What a comparison of runs says in words; shared by terminal and page. */

/** The rows in the order in which models are listed, those of one model in the order of the runs. */
export function orderedRows({ rows }: ComparisonOfRuns): ComparedRow[] {
  const names = modelOrder(new Set(rows.map(({ model }) => model)));
  return names.flatMap((name) => rows.filter(({ model }) => model === name));
}

/** True if a rule separates a row from the previous one, where the baselines begin. */
export const beginsBaselines = (rows: readonly ComparedRow[], index: number): boolean =>
  index > 0 && isBaseline(rows[index]?.model ?? "") && !isBaseline(rows[index - 1]?.model ?? "");

/** "BTX" or "BTX (router switch, freeze experts)". */
export function rowName(row: ComparedRow): string {
  const settings = configuration(row);
  return `${modelLabel(row.model)}${settings.length > 0 ? ` (${settings.join(", ")})` : ""}`;
}

export type Shown = "loss" | "exactMatch";

/** "2.598 ± 0.012 (3)": mean, sample standard deviation and number of random seeds; "2.598" of one seed. */
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

/** "=", "×1.32", or a dash where nothing is known. */
export function ratioText(amount: Amount | undefined): string {
  if (amount?.ratio === undefined) return "–";
  if (amount.equal) return "=";
  const { ratio } = amount;
  if (ratio === 0) return "×0";
  return ratio < 0.01 ? "×<0.01" : `×${ratio.toFixed(ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0)}`;
}

/** What the comparison holds equal, and which rows are so: sentences for its head. */
export function fairness(comparison: ComparisonOfRuns): string[] {
  const { equal, reference, rows } = comparison;
  const base = reference === undefined ? undefined : rows[reference];
  const own = base?.[equal];
  if (!base || own?.ratio === undefined)
    return ["Training is not compared: the training of a finetuned BTX model is not known."];
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
    `Compared at equal ${what}: rows marked = ${amounts}; × is how many times as much the others had.`,
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
