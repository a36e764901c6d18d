import { auxiliaryResult, auxiliaryResults } from "../../model/loss.ts";
import type { Values } from "../../ops/program.ts";
import { type CountedStatistic, countedIn } from "../../protocol/routingStatistics.ts";

/** The result of one optimizer step, aggregated over its micro-batches. */
export interface StepResult extends Partial<Record<CountedStatistic, Float64Array>> {
  /** Nats per token. */
  loss: number;
  /** The routers' scaled auxiliary losses by name, such as `loadBalance` and `zLoss`. */
  auxiliary: Record<string, number>;
  gradientNorm: number;
}

/** Copies results, which are only valid until the program's next run. */
export const copyResults = (result: Record<string, Values>): Record<string, Values> =>
  Object.fromEntries(Object.entries(result).map(([name, values]) => [name, values.slice()]));

/** Sums one result over micro-batches. */
export function sumsOf(results: readonly Record<string, Values>[], name: string): Float64Array {
  const sums = new Float64Array(results[0]?.[name]?.length ?? 0);
  for (const result of results)
    result[name]?.forEach((value, i) => {
      sums[i]! += value;
    });
  return sums;
}

/** Combines the results of a step's micro-batches: averages losses, sums statistics. */
export function resultOf(results: readonly Record<string, Values>[]): StepResult {
  const first = results[0] ?? {};
  const mean = (name: string) => results.reduce((sum, result) => sum + result[name]![0]!, 0) / results.length;
  const reported = countedIn("training", "pairs").filter((name) => first[name]);
  const auxiliary = auxiliaryResults(first).map(([name]) => [name, mean(auxiliaryResult(name))]);
  return {
    loss: mean("loss"),
    auxiliary: Object.fromEntries(auxiliary),
    gradientNorm: first.gradientNorm?.[0] ?? 0,
    ...Object.fromEntries(reported.map((name) => [name, sumsOf(results, name)])),
  };
}
