import type { RoutingSummary } from "../protocol/routingFiles.ts";
import { axesOf, type RoutingStatistic, statisticsIn } from "../protocol/routingStatistics.ts";
import type { AxisNames, StatisticValues } from "./records.ts";

/**
 * The statistics in an evaluation's result: nested lists [layer][expert][domain] or [layer][domain]. Elsewhere they are
 * flat, with the domain before the expert. Two exceptions: `tokens` is stored once for all layers, and the vocabulary
 * specialisations are in an object of their own.
 */

type Lists = number[][] | number[][][];

const vocabularyKeys = { vocabularyInput: "input", vocabularyPredicted: "predicted" } as const;
const isVocabulary = (name: RoutingStatistic): name is keyof typeof vocabularyKeys => name in vocabularyKeys;

const range = (count: number): number[] => Array.from({ length: count }, (_, place) => place);

/** Length of a statistic's domain axis. */
const domainCount = (name: RoutingStatistic, { domains = [] }: AxisNames): number =>
  domains.length + (axesOf(name).includes("domainAndAll") ? 1 : 0);

function lists(name: RoutingStatistic, values: ArrayLike<number>, names: AxisNames): Lists {
  const [D, E] = [domainCount(name, names), names.experts.length];
  const value = (at: number): number => values[at] ?? 0;
  const rows = range(names.layers.length).map((layer) => range(D).map((domain) => layer * D + domain));
  return axesOf(name).includes("expert")
    ? rows.map((row) => range(E).map((expert) => row.map((at) => value(at * E + expert))))
    : rows.map((row) => row.map(value));
}

/** @param statistics sums over an evaluation; the result has them in this order. */
export function summaryOf(
  statistics: StatisticValues,
  names: Pick<RoutingSummary, "layers" | "experts" | "domains">,
): RoutingSummary {
  const summary: Record<string, unknown> = { ...names };
  const vocabulary: Record<string, Lists> = {};
  for (const [name, values] of Object.entries(statistics) as [RoutingStatistic, ArrayLike<number>][]) {
    if (isVocabulary(name)) vocabulary[vocabularyKeys[name]] = lists(name, values, names);
    else if (name === "tokens") summary.tokens = Array.from(values).slice(0, names.domains.length);
    else summary[name] = lists(name, values, names);
  }
  return { ...summary, vocabulary } as RoutingSummary;
}

/** The statistics of a summary for these domains, in this order; 0 for a domain that it lacks. */
export function statisticsOfSummary(summary: RoutingSummary, domains: readonly string[]): StatisticValues {
  const { layers, experts } = summary;
  const places = [...domains.map((domain) => summary.domains.indexOf(domain)), summary.domains.length];
  const entries = statisticsIn("summary").flatMap((name) => {
    const told = listsOf(summary, name);
    if (!told) return [];
    const from = places.slice(0, domainCount(name, { layers, experts, domains }));
    const isByExpert = axesOf(name).includes("expert");
    const flat = layers.flatMap((_, layer) =>
      from.flatMap((domain) =>
        isByExpert
          ? experts.map((__, expert) => (told as number[][][])[layer]?.[expert]?.[domain] ?? 0)
          : ((told as number[][])[layer]?.[domain] ?? 0),
      ),
    );
    return [[name, Float64Array.from(flat)] as const];
  });
  return Object.fromEntries(entries);
}

function listsOf(summary: RoutingSummary, name: RoutingStatistic): Lists | undefined {
  if (isVocabulary(name)) return summary.vocabulary?.[vocabularyKeys[name]];
  if (name === "tokens") return summary.layers.map(() => summary.tokens);
  const lists: Readonly<Record<string, unknown>> = summary;
  return lists[name] as Lists | undefined;
}
