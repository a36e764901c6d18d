import type { Measured, Standing, Statistic } from "../protocol/comparison.ts";

/** Mean and sample standard deviation (n - 1) of one value per random seed. */
export function statistic(values: readonly number[]): Statistic {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, count };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (count - 1)), count };
}

/** Two-sided 5 % points of Student's t for 1 to 30 degrees of freedom. */
const points = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/**
 * Standard errors that a difference must exceed to be significant at the 5 % level. Degrees of freedom are rounded
 * down; above 30, the value for 30 is used, at most 4 % too strict.
 */
export const studentPoint = (degrees: number): number =>
  points[Math.min(points.length, Math.max(1, Math.floor(degrees))) - 1]!;

/** Values closer than this count as equal: they print the same. */
const RESOLUTION = 1e-3;

/** Whether two means do not differ at the 5 % level (Welch's t-test); undefined if a standard deviation is unknown. */
function withinNoise(a: Statistic, b: Statistic): boolean | undefined {
  if (a.deviation === undefined || b.deviation === undefined) return undefined;
  const [ofA, ofB] = [a.deviation ** 2 / a.count, b.deviation ** 2 / b.count];
  if (ofA + ofB === 0) return a.mean === b.mean;
  // Welch and Satterthwaite's degrees of freedom.
  const degrees = (ofA + ofB) ** 2 / (ofA ** 2 / (a.count - 1) + ofB ** 2 / (b.count - 1));
  return Math.abs(a.mean - b.mean) < studentPoint(degrees) * Math.sqrt(ofA + ofB);
}

/**
 * How each row compares with the best of its column, by Welch's t-test at the 5 % level. Rows are tested one by one, so
 * among many equal rows one may be called worse by chance. Undefined for rows that were not measured, and for all rows
 * if none differs in the third decimal.
 */
export function standings(
  column: readonly (Statistic | undefined)[],
  better: "lower" | "higher",
): (Standing | undefined)[] {
  const printed = (value: Statistic) => Math.round(value.mean / RESOLUTION);
  const measured = column.filter((value) => value !== undefined);
  if (new Set(measured.map(printed)).size < 2) return column.map(() => undefined);
  const sign = better === "lower" ? 1 : -1;
  const best = measured.reduce((a, b) => (sign * b.mean < sign * a.mean ? b : a));
  return column.map((value) => {
    if (value === undefined) return undefined;
    if (printed(value) === printed(best)) return "best";
    const within = withinNoise(value, best);
    return within === undefined ? "unknown" : within ? "not-different" : "worse";
  });
}

/** Turns each random seed's values by domain and `mean` into statistics over seeds; undefined if no seed has values. */
export function measured(samples: readonly (Record<string, number> | undefined)[]): Measured | undefined {
  const present = samples.filter((sample) => sample !== undefined);
  const names = [...new Set(present.flatMap((sample) => Object.keys(sample)))];
  const of = (name: string) => statistic(present.map((sample) => sample[name]).filter((value) => value !== undefined));
  if (names.length === 0) return undefined;
  const domains = names.filter((name) => name !== "mean").map((name) => [name, of(name)] as const);
  return { domains: Object.fromEntries(domains), mean: of("mean") };
}

/** Sets in every statistic how it compares with the best of its column. */
export function setStandings(rows: readonly (Measured | undefined)[], better: "lower" | "higher"): void {
  const domains = new Set(rows.flatMap((row) => Object.keys(row?.domains ?? {})));
  const columns = [rows.map((row) => row?.mean), ...[...domains].map((name) => rows.map((row) => row?.domains[name]))];
  for (const column of columns) {
    standings(column, better).forEach((standing, row) => {
      if (standing !== undefined) column[row]!.standing = standing;
    });
  }
}
