import * as z from "zod";

/** `comparison.json`: models of several runs side by side. docs/run-folder.md says what each key means. */

/**
 * A column's verdict on a row: "not-different" is within the noise of the best; "unknown" is worse, but the noise is
 * unknown.
 */
export const standingSchema = z.enum(["best", "not-different", "worse", "unknown"]);
export type Standing = z.infer<typeof standingSchema>;

/** One measure over a row's random seeds. */
export const statisticSchema = z.strictObject({
  mean: z.number(),
  /** Sample standard deviation (n - 1); absent for one seed. */
  deviation: z.number().optional(),
  /** Random seeds (n). */
  count: z.int().min(1),
  /** Absent if all rows are level. */
  standing: standingSchema.optional(),
});
export type Statistic = z.infer<typeof statisticSchema>;

/** One measure by domain and its plain mean over the domains that have it. */
export const measuredSchema = z.strictObject({
  domains: z.record(z.string(), statisticSchema),
  mean: statisticSchema,
});
export type Measured = z.infer<typeof measuredSchema>;

/** One setting in which a row differs from other rows of the same model. */
export const differenceSchema = z.strictObject({
  /** Stage it belongs to; "experts" for all experts, "all" for all training stages, "evaluate". */
  stage: z.string(),
  /** Phase of training, from 0, if the stage has several. */
  phase: z.int().optional(),
  /** Path in the stage's spec, such as "router.type"; for a key of a phase only the key itself, such as "tokens". */
  key: z.string(),
  value: z.json(),
  /** Whether it follows from another difference, such as the K of the only top-k router. */
  implied: z.literal(true).optional(),
});
export type Difference = z.infer<typeof differenceSchema>;

const valuesSchema = z.record(z.string(), z.number());

/** One trained model of a row: one random seed. */
export const comparedSampleSchema = z.strictObject({
  /** Key of the stage that made the model (of the ensemble for Branch-Train-Merge). */
  key: z.string(),
  /** Indices in `runs` of the runs that contain it. */
  runs: z.array(z.int()).min(1),
  /** Held-out loss by domain and its `mean`. */
  nats: valuesSchema,
  bitsPerByte: valuesSchema,
  /** Share of answers that match, by domain with answers, and its `mean`. */
  exactMatch: valuesSchema.optional(),
  /** Working time of the model's stage and all its ancestors, seconds. */
  seconds: z.number().optional(),
});
export type ComparedSample = z.infer<typeof comparedSampleSchema>;

/** Amount of training, compared with the reference row. */
const amountSchema = z.strictObject({
  /** Seed included. */
  total: z.number(),
  beyondSeed: z.number(),
  /** `beyondSeed` divided by that of the reference; absent without a reference. */
  ratio: z.number().optional(),
  /** Whether the ratio is 1 within 1 %. */
  equal: z.boolean().optional(),
});
export type Amount = z.infer<typeof amountSchema>;

/** Where a row's held-out tokens went: means over its random seeds. */
export const comparedRoutingSchema = z.strictObject({
  layers: z.array(z.int()),
  experts: z.array(z.string()),
  domains: z.array(z.string()),
  /** Share of a domain's routed tokens, [expert][domain], mean over layers; sums to 1 over experts. */
  share: z.array(z.array(z.number())),
  /** The largest and smallest share of any expert in a layer, over all random seeds, mean over domains. */
  largest: z.strictObject({ layer: z.int(), expert: z.string(), share: z.number() }),
  smallest: z.strictObject({ layer: z.int(), expert: z.string(), share: z.number() }),
  /** Dropped tokens / tokens that chose an expert; absent if routers have no capacity. */
  dropped: z.number().optional(),
});
export type ComparedRouting = z.infer<typeof comparedRoutingSchema>;

/** Models that differ only in random seeds. */
export const comparedRowSchema = z.strictObject({
  /** As in a run's summary: "btx", "expert:code". */
  model: z.string(),
  /** Hash of the work done, ignoring random seeds. */
  signature: z.string(),
  differences: z.array(differenceSchema),
  /** In the measure of the comparison. */
  loss: measuredSchema,
  /** Share of answers that match. */
  exactMatch: measuredSchema.optional(),
  parameters: z.number().optional(),
  activeParameters: z.number().optional(),
  /** Training tokens and FLOPs; absent if a stage's record is missing. */
  tokens: amountSchema.optional(),
  flops: amountSchema.optional(),
  /** Working time in seconds, mean over random seeds, summed over the stages the model depends on. */
  seconds: z.number().optional(),
  routing: comparedRoutingSchema.optional(),
  samples: z.array(comparedSampleSchema).min(1),
});
export type ComparedRow = z.infer<typeof comparedRowSchema>;

export const comparisonSchema = z.strictObject({
  version: z.literal(1),
  /** Unit of `loss`: nats per token or bits per byte. */
  measure: z.enum(["nats", "bitsPerByte"]),
  /** What must be equal for a fair comparison of rows. */
  equal: z.enum(["tokens", "flops"]),
  runs: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      folder: z.string(),
      status: z.string(),
      /** Number of its models that have been evaluated. */
      models: z.int(),
    }),
  ),
  domains: z.array(z.string()),
  /**
   * Index of the reference row for amounts of training: the first finetuned BTX model; absent if the comparison has
   * none.
   */
  reference: z.int().optional(),
  rows: z.array(comparedRowSchema),
  /** Notes needed to interpret the numbers, one sentence each. */
  notes: z.array(z.string()),
});
export type ComparisonOfRuns = z.infer<typeof comparisonSchema>;
