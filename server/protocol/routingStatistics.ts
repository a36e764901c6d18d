/**
 * The routing statistics: sums over the tokens that routers send to experts. Only this table names them all; the
 * results of programs, the layout of records and what the measures (measures.ts) divide follow from it. How a statistic
 * is counted is in model/routingStatistics.ts or, if it `follows` tokens, in routing/vocabularySpecialisation.ts.
 */

/**
 * The axes of a statistic, over L Mixture-of-Experts layers, D domains and E experts: `layer` has length L,
 * `layerBefore` L - 1 (each layer but the last), `domain` D, `domainAndAll` D + 1 (all domains together last), `expert`
 * E, and `bin` that of a histogram.
 */
export type RoutingAxis = "layer" | "layerBefore" | "domain" | "domainAndAll" | "expert" | "bin";

/**
 * Where a statistic is recorded. In training: `routing.f32` ("training"), `routing-pairs.f32` ("pairs") and, for the
 * same held-out tokens at every probe, `routing-probe-detail.f32` ("probe"). In an evaluation: its result ("summary")
 * and `routing-detail.f32` ("detail"). When a text is routed ("text") it is not written to a file.
 */
export type RoutingRecord = "training" | "pairs" | "probe" | "summary" | "detail" | "text";

export interface StatisticDeclaration {
  /** What is counted or summed over tokens, with its unit if it has one. */
  counts: string;
  /** As programs report it, slowest first. */
  axes: readonly RoutingAxis[];
  records: readonly RoutingRecord[];
  /** Whether only routers that drop tokens have it. */
  drops?: true;
  /** Computed from the choices of all tokens after the programs have run, not in a program. */
  follows?: true;
}

/** The most common axes. */
export const byExpert = ["layer", "domain", "expert"] as const;
export const byDomain = ["layer", "domain"] as const;

export const routingStatistics = {
  routedTokens: {
    counts: "tokens that chose the expert as one of K",
    axes: byExpert,
    records: ["training", "summary", "text"],
  },
  gateMass: {
    counts: "sum of the expert's gates",
    axes: byExpert,
    records: ["training", "summary", "text"],
  },
  probability: {
    counts: "sum of the router's softmax over all experts, before any is chosen",
    axes: byExpert,
    records: ["training", "summary", "text"],
  },
  droppedTokens: {
    counts: "tokens that chose the expert and were dropped because it was full",
    axes: byExpert,
    records: ["training", "summary"],
    drops: true,
  },
  tokens: { counts: "tokens", axes: byDomain, records: ["training", "summary", "text"] },
  entropy: {
    counts: "sum of the entropy of the router's softmax, nats",
    axes: byDomain,
    records: ["training", "summary", "text"],
  },
  coActivation: {
    counts: "tokens that went to both experts; on the diagonal, all tokens of the expert",
    axes: ["layer", "expert", "expert"],
    records: ["pairs", "detail"],
  },
  transitions: {
    counts:
      "how often a choice of one expert is followed by a choice of the other in the next Mixture-of-Experts layer",
    axes: ["layerBefore", "expert", "expert"],
    records: ["pairs", "detail"],
  },
  histogram: {
    counts: "tokens by the probability that the router's softmax gives the expert",
    axes: ["layer", "domain", "expert", "bin"],
    records: ["probe", "detail", "text"],
  },
  vocabularyInput: {
    counts: "vocabulary specialisation by the input token: a share, not a sum",
    axes: ["layer", "domainAndAll", "expert"],
    records: ["probe", "summary", "text"],
    follows: true,
  },
  vocabularyPredicted: {
    counts: "the same by the most likely next token",
    axes: ["layer", "domainAndAll", "expert"],
    records: ["probe", "summary", "text"],
    follows: true,
  },
} as const satisfies Record<string, StatisticDeclaration>;

type Table = typeof routingStatistics;
export type RoutingStatistic = keyof Table;

/** The statistics that programs count. */
export type CountedStatistic = {
  [S in RoutingStatistic]: Table[S] extends { follows: true } ? never : S;
}[RoutingStatistic];
export type FollowedStatistic = Exclude<RoutingStatistic, CountedStatistic>;
/** The statistics with these axes that are recorded in a place. */
export type StatisticIn<R extends RoutingRecord, A extends readonly RoutingAxis[]> = {
  [S in RoutingStatistic]: R extends Table[S]["records"][number] ? (Table[S]["axes"] extends A ? S : never) : never;
}[RoutingStatistic];

const declarations: Record<RoutingStatistic, StatisticDeclaration> = routingStatistics;

/** Adds a statistic to the table; `addStatistic` (model/routingStatistics.ts) also registers how it is counted. */
export function declareStatistic(name: string, declaration: StatisticDeclaration): void {
  if (Object.hasOwn(declarations, name)) throw new Error(`there is a routing statistic "${name}" already`);
  (declarations as Record<string, StatisticDeclaration>)[name] = declaration;
}

export const isStatistic = (name: string): name is RoutingStatistic => Object.hasOwn(routingStatistics, name);

export const axesOf = (statistic: RoutingStatistic): readonly RoutingAxis[] => declarations[statistic].axes;

/** The statistics recorded in any of these places, in the order of the table. */
export const statisticsIn = (...records: RoutingRecord[]): RoutingStatistic[] =>
  (Object.keys(declarations) as RoutingStatistic[]).filter((name) =>
    declarations[name].records.some((one) => records.includes(one)),
  );

const isCounted = (name: RoutingStatistic): name is CountedStatistic => !declarations[name].follows;

/** The part of `statisticsIn` that a program counts. */
export const countedIn = (...records: RoutingRecord[]): CountedStatistic[] =>
  statisticsIn(...records).filter(isCounted);

/** Whether only routers that drop tokens have it. */
export const needsDrops = (statistic: RoutingStatistic): boolean => declarations[statistic].drops === true;

/** Bins of a histogram of the router's softmax, of equal width from 0 to 1; the last one includes 1. */
export const histogramBins = 10;

/**
 * Names of further per-token results of programs: experts [N, K] int32 and gates [N, K] of the Mixture-of-Experts layer
 * at `position` among these layers. K may differ by layer.
 */
export const expertsResult = (position: number): string => `experts.${position}`;
export const gatesResult = (position: number): string => `gates.${position}`;
