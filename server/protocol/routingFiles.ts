import * as z from "zod";
import { axesOf, byDomain, byExpert, type RoutingAxis, type StatisticIn, statisticsIn } from "./routingStatistics.ts";

/**
 * The routing files of the run folder: the evaluation's sums, and the JSON indexes of float32 records
 * (routing/records.ts). routingStatistics.ts says which statistics are in which file.
 */

/** The kind of block in each of the layers; absent: all are feed-forward blocks. */
export const placeKindsSchema = z.array(z.enum(["ffn", "attention"])).optional();

/** Names of the places where tokens are routed: "3", "3 attention". */
export const placeNames = ({
  layers,
  kinds,
}: {
  layers: readonly number[];
  kinds?: z.infer<typeof placeKindsSchema>;
}): string[] => layers.map((layer, at) => (kinds?.[at] === "attention" ? `${layer} attention` : `${layer}`));

/**
 * Where tokens are routed: to which experts, in which layers. A layer with two kinds of routing blocks appears in
 * `layers` twice.
 */
const places = {
  layers: z.array(z.int()),
  kinds: placeKindsSchema,
  experts: z.array(z.string()),
};

const domainLists = z.array(z.array(z.number()));
const expertLists = z.array(domainLists);

/**
 * Optional schemas of an evaluation's statistics that have these axes, except for the tokens, which are listed
 * separately.
 */
const schemasOf = <A extends readonly RoutingAxis[], T extends z.ZodType>(axes: A, schema: T) => {
  const names = statisticsIn("summary").filter((name) => name !== "tokens" && `${axesOf(name)}` === `${axes}`);
  return Object.fromEntries(names.map((name) => [name, schema.optional()])) as {
    [S in Exclude<StatisticIn<"summary", A>, "tokens">]: z.ZodOptional<T>;
  };
};

/** What is counted at evaluation; layers as in the model's moe.layers. */
export const routingSummarySchema = z.strictObject({
  ...places,
  domains: z.array(z.string()),
  /** Each [layer][expert][domain]. */
  ...schemasOf(byExpert, expertLists),
  /** Each [layer][domain]. */
  ...schemasOf(byDomain, domainLists),
  /** Counted by every version. */
  routedTokens: expertLists,
  gateMass: expertLists,
  /** Vocabulary specialisation (measures.ts) [layer][expert][domain], all domains together last. */
  vocabulary: z.strictObject({ input: expertLists, predicted: expertLists }).optional(),
  /** [domain]: identical in every layer. */
  tokens: z.array(z.number()),
});
export type RoutingSummary = z.infer<typeof routingSummarySchema>;

const version = z.literal(1);

/** `routing.json`: how to read `routing.f32`, one record per snapshot. */
export const routingIndexSchema = z.strictObject({
  version,
  /** Statistics of a record, [layer, domain, expert] each. */
  statistics: z.array(z.string()),
  ...places,
  domains: z.array(z.string()),
  /** Statistics that follow them in a record, [layer, domain] each. Absent in older files: nothing follows. */
  layerStatistics: z.array(z.string()).optional(),
  /**
   * Optimizer steps between snapshots. Record i covers steps i*every+1 to (i+1)*every; the last record of a finished
   * stage ends at its last step.
   */
  every: z.int(),
});
export type RoutingIndex = z.infer<typeof routingIndexSchema>;

/** `routing-pairs.json`: how to read `routing-pairs.f32`. Its last record ends like that of `routing.f32`. */
export const routingPairsIndexSchema = z.strictObject({
  version,
  statistics: z.array(z.string()),
  ...places,
  /** Optimizer steps per record; a multiple of the steps in `routing.json`. */
  every: z.int(),
});
export type RoutingPairsIndex = z.infer<typeof routingPairsIndexSchema>;

/**
 * `routing-probe.json`: how to read `routing-probe.f32`: the experts that the same held-out tokens choose, before
 * training, then after every so many steps and after the last one. A record has, for each domain, [layer, token, k]:
 * indices into `experts`, largest gate first, -1 for none.
 */
export const routingProbeIndexSchema = z.strictObject({
  version,
  ...places,
  domains: z.array(z.string()),
  /** Number of tokens per domain. */
  tokens: z.array(z.int()),
  /** Maximum number of experts per token. */
  k: z.int(),
  /** Optimizer steps between probes. */
  every: z.int(),
});
export type RoutingProbeIndex = z.infer<typeof routingProbeIndexSchema>;

/**
 * `routing-probe-detail.json`: how to read `routing-probe-detail.f32`: statistics of the tokens of `routing-probe.f32`,
 * before training, then after every so many steps and after the last one. Statistics by domain have that axis first.
 */
export const routingProbeDetailIndexSchema = z.strictObject({
  version,
  statistics: z.array(z.string()),
  ...places,
  domains: z.array(z.string()),
  /** Optimizer steps between records; a multiple of the steps between token probes. */
  every: z.int(),
});
export type RoutingProbeDetailIndex = z.infer<typeof routingProbeDetailIndexSchema>;

/** `routing-detail.json`: how to read `routing-detail.f32` of an evaluation, one record per domain. */
export const routingDetailIndexSchema = z.strictObject({
  version,
  statistics: z.array(z.string()),
  ...places,
  domains: z.array(z.string()),
});
export type RoutingDetailIndex = z.infer<typeof routingDetailIndexSchema>;
