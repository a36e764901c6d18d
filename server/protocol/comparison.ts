import * as z from "zod";

/** `comparison.json`: models of several runs side by side. docs/run-folder.md says what each key means. */

/** What a column says of a row: "not-different" is within the noise of the best; "unknown" is worse, by how much noise nobody knows. */
export const standingSchema = z.enum(["best", "not-different", "worse", "unknown"]);
export type Standing = z.infer<typeof standingSchema>;

/** One measure over a row's random seeds. */
export const statisticSchema = z.strictObject({
  mean: z.number(),
  /** Sample standard deviation (n - 1); absent for one seed. */
  deviation: z.number().optional(),
  /** Random seeds (n). */
  count: z.int().min(1),
  /** Absent where all rows are level. */
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
  /** Stage it belongs to; "experts" for all of them alike, "all" for all training stages alike, "evaluate". */
  stage: z.string(),
  /** Phase of training, from 0, where the stage has several. */
  phase: z.int().optional(),
  /** Path in the stage's spec, as "router.type"; keys of a phase without what leads there, as "tokens". */
  key: z.string(),
  value: z.json(),
  /** It follows from another difference, as the K of the only top-k router among others. */
  implied: z.literal(true).optional(),
});
export type Difference = z.infer<typeof differenceSchema>;

const valuesSchema = z.record(z.string(), z.number());

/** One trained model of a row: one random seed. */
export const comparedSampleSchema = z.strictObject({
  /** Key of the stage that made the model (of the ensemble for Branch-Train-Merge). */
  key: z.string(),
  /** Places in `runs` of those that have it. */
  runs: z.array(z.int()).min(1),
  /** Held-out loss by domain and its `mean`. */
  nats: valuesSchema,
  bitsPerByte: valuesSchema,
  /** Share of answers that match, by domain that has any, and its `mean`. */
  exactMatch: valuesSchema.optional(),
  /** Seconds of work of the model's stage and all it comes from. */
  seconds: z.number().optional(),
});
export type ComparedSample = z.infer<typeof comparedSampleSchema>;

/** Amount of training, set against the reference row. */
const amountSchema = z.strictObject({
  /** Seed included. */
  total: z.number(),
  beyondSeed: z.number(),
  /** `beyondSeed` over that of the reference; absent without a reference. */
  ratio: z.number().optional(),
  /** The ratio is 1 within 1 %. */
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
  /** The largest and the smallest share that an expert has in a layer in any random seed, mean over domains. */
  largest: z.strictObject({ layer: z.int(), expert: z.string(), share: z.number() }),
  smallest: z.strictObject({ layer: z.int(), expert: z.string(), share: z.number() }),
  /** Dropped tokens over those that chose an expert; absent where routers have no capacity. */
  dropped: z.number().optional(),
});
export type ComparedRouting = z.infer<typeof comparedRoutingSchema>;

/** Models that differ only in random seeds. */
export const comparedRowSchema = z.strictObject({
  /** As in a run's summary: "btx", "expert:code". */
  model: z.string(),
  /** Hash of what was done, random seeds left out. */
  signature: z.string(),
  differences: z.array(differenceSchema),
  /** In the measure of the comparison. */
  loss: measuredSchema,
  /** Share of answers that match. */
  exactMatch: measuredSchema.optional(),
  parameters: z.number().optional(),
  activeParameters: z.number().optional(),
  /** Training tokens and FLOPs; absent where a stage's record is gone. */
  tokens: amountSchema.optional(),
  flops: amountSchema.optional(),
  /** Seconds of work, mean over random seeds, added over the stages that the model comes from. */
  seconds: z.number().optional(),
  routing: comparedRoutingSchema.optional(),
  samples: z.array(comparedSampleSchema).min(1),
});
export type ComparedRow = z.infer<typeof comparedRowSchema>;

export const comparisonSchema = z.strictObject({
  version: z.literal(1),
  /** Unit of `loss`: nats per token or bits per byte. */
  measure: z.enum(["nats", "bitsPerByte"]),
  /** What is held equal to call rows fairly compared. */
  equal: z.enum(["tokens", "flops"]),
  runs: z.array(
    z.strictObject({
      id: z.string(),
      name: z.string(),
      folder: z.string(),
      status: z.string(),
      /** Models of it that have been evaluated. */
      models: z.int(),
    }),
  ),
  domains: z.array(z.string()),
  /** Place of the row that amounts of training are set against: the first finetuned BTX model. Absent: there is none. */
  reference: z.int().optional(),
  rows: z.array(comparedRowSchema),
  /** What must be known to read the numbers, in sentences. */
  notes: z.array(z.string()),
});
export type ComparisonOfRuns = z.infer<typeof comparisonSchema>;
