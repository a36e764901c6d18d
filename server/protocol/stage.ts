import * as z from "zod";
import { deviceReferenceSchema } from "./devices.ts";
import { modelConfigSchema, routerConfigSchema } from "./model.ts";
import { routingSummarySchema } from "./routingFiles.ts";

/**
 * A stage's work (its spec) and what it writes about itself (its record, `stage.json`).
 * A stage's key is a hash of its kind, its spec and its parents' keys, so equal work has an equal key.
 */

/**
 * Groups of parameters, each parameter in one. "experts": the experts of Mixture-of-Experts layers; "attention": the
 * attention projections; "router": the routers; "embeddings": the embedding and the head; "norms"; "dense": the
 * feed-forward blocks of dense layers.
 */
export const parameterGroupSchema = z.enum(["experts", "attention", "router", "embeddings", "norms", "dense"]);
export type ParameterGroup = z.infer<typeof parameterGroupSchema>;

/** A group, or a single expert by name: "expert:code". */
export const freezeItemSchema = z.union([parameterGroupSchema, z.templateLiteral(["expert:", z.string().min(1)])]);
export type FreezeItem = z.infer<typeof freezeItemSchema>;

/** Parameters that are not trained: the listed ones, or all except those in `allBut`. */
export const freezeSchema = z.union([
  z.array(freezeItemSchema),
  z.strictObject({ allBut: z.array(freezeItemSchema).min(1) }),
]);
export type Freeze = z.infer<typeof freezeSchema>;

/** How a model is trained in one phase. Rates and steps as in BTX §4.1.2. */
export const trainingConfigSchema = z.strictObject({
  /** Sequences per optimizer step (B). */
  batch: z.int().min(1),
  /** Sequences per micro-batch; divides `batch`. Gradients are accumulated over batch / microBatch micro-batches. */
  microBatch: z.int().min(1),
  learningRate: z.number().positive(),
  /** The cosine ends at this fraction of the peak learning rate. */
  finalLearningRate: z.number().min(0).max(1),
  /** Steps of linear warm-up. */
  warmup: z.int().min(0),
  weightDecay: z.number().min(0),
  beta1: z.number().min(0).lt(1),
  beta2: z.number().min(0).lt(1),
  epsilon: z.number().positive(),
  /** Largest global gradient norm; 0 disables clipping. */
  clip: z.number().min(0),
  /** Recomputes activations of attention and feed-forward blocks in the backward pass instead of keeping them. */
  recompute: z.literal(true).optional(),
  /**
   * Precision of matrix products in attention and feed-forward blocks, with loss scaling; absent: float32. Parameters
   * are always float32.
   */
  precision: z.literal("float16").optional(),
  /** Parameters that are not trained; absent: none. */
  freeze: freezeSchema.optional(),
  /** Stage of two-stage routers: "fixed" uses what "learn" has learned; absent: "learn". Has no effect on others. */
  routerStage: z.literal("fixed").optional(),
});
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/** A phase's training objective. The type names an entry of the table of objectives (stages/training/objectives.ts). */
export const objectiveSchema = z.discriminatedUnion("type", [z.strictObject({ type: z.literal("next-token") })]);
export type Objective = z.infer<typeof objectiveSchema>;

/** A part of training with its own data and learning-rate schedule. */
export const phaseSchema = z.strictObject({
  /** Tokens to train on; the number of steps is tokens / (batch * context), rounded up. */
  tokens: z.int().min(1),
  /** Weight of each domain in the mixture; any positive scale. */
  mixture: z.record(z.string(), z.number().positive()),
  training: trainingConfigSchema,
  /** Training objective; absent: next-token loss plus the routers' auxiliary losses. */
  objective: objectiveSchema.optional(),
  /** Keeps the optimizer's moments and step count from the previous phase; absent: they start from zero. */
  keepMoments: z.literal(true).optional(),
});
export type Phase = z.infer<typeof phaseSchema>;

export const tokenizerSpecSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("bytes") }),
  z.strictObject({ type: z.literal("bpe"), vocab: z.int().min(257) }),
  /** `path` is absolute: a folder with `tokenizer.json`, or the file itself. */
  z.strictObject({ type: z.literal("file"), path: z.string(), sha256: z.string() }),
]);
export type TokenizerSpec = z.infer<typeof tokenizerSpecSchema>;

export const domainSpecSchema = z.strictObject({
  /** Absolute paths, sorted. */
  files: z.array(z.string()).min(1),
  /** Hash of the contents of the files, in order. */
  sha256: z.string(),
  /** For .jsonl and .parquet: a field's name, or a template such as "{question}\n{answer}". */
  text: z.string().optional(),
  /**
   * Marker of answers: the text after its last occurrence, up to the end of the line. If set, exact match is measured.
   */
  answerAfter: z.string().optional(),
});
export type DomainSpec = z.infer<typeof domainSpecSchema>;

export const dataSpecSchema = z.strictObject({
  kind: z.literal("data"),
  tokenizer: tokenizerSpecSchema,
  domains: z.record(z.string(), domainSpecSchema),
  /** Fraction of documents held out, chosen by a hash of their content. */
  heldOut: z.number().gt(0).lt(1),
});
export type DataSpec = z.infer<typeof dataSpecSchema>;

/** Model sizes without the vocabulary size, which is known once the data stage is done. */
export const modelShapeSchema = modelConfigSchema.omit({ vocab: true, moe: true });
export type ModelShape = z.infer<typeof modelShapeSchema>;

/** The seed: trained from random weights, or loaded from a checkpoint folder. Parents: data. */
export const seedSpecSchema = z.strictObject({
  kind: z.literal("seed"),
  model: modelShapeSchema,
  /** Random seed of the stage. */
  randomSeed: z.int(),
  /** A folder in the Hugging Face format and the hash of its weights; absent: random weights. */
  from: z.strictObject({ path: z.string(), sha256: z.string() }).optional(),
  phases: z.array(phaseSchema),
});

/** An expert, a finetuned mixed model or a baseline: continues training of a parent model. Parents: data, model. */
const trainSpec = <K extends string>(kind: K) =>
  z.strictObject({ kind: z.literal(kind), randomSeed: z.int(), phases: z.array(phaseSchema).min(1) });
export const expertSpecSchema = trainSpec("expert");
export const finetuneSpecSchema = trainSpec("finetune");
export const denseSpecSchema = trainSpec("dense");
export const upcyclingSpecSchema = trainSpec("upcycling");

/** A mix of dense models. Parents: one per name in `experts`, role "expert:<name>"; data, if `routerInit` is set. */
export const mixSpecSchema = z.strictObject({
  kind: z.literal("mix"),
  experts: z.array(z.string()).min(1),
  /** Layers whose feed-forward block becomes a Mixture-of-Experts, ascending; absent: all. The others are averaged. */
  layers: z.array(z.int().min(0)).min(1).optional(),
  router: routerConfigSchema,
  /** Number of experts of equal width into which each model's block is cut. BTX §3.3. */
  split: z.int().min(2).optional(),
  /** Expert n is made of the n-th parts of all models' feed-forward blocks. BTX §3.3. */
  blend: z.literal(true).optional(),
  /**
   * How the routers' rows are initialized; absent: randomly. "domains": from the mean embedding of `tokens` tokens of
   * each expert's domain; "hidden": in each layer, from their mean hidden state before the router.
   */
  routerInit: z.strictObject({ from: z.enum(["domains", "hidden"]), tokens: z.int().min(1) }).optional(),
  randomSeed: z.int(),
});
export type MixSpec = z.infer<typeof mixSpecSchema>;

/** A model that averages all weights. Parents: role "expert:<name>". */
export const averageSpecSchema = z.strictObject({ kind: z.literal("average"), experts: z.array(z.string()).min(1) });

/** Held-out loss, routing and exact match of one model. Parents: data, model. */
export const evaluateSpecSchema = z.strictObject({
  kind: z.literal("evaluate"),
  domains: z.array(z.string()).min(1),
  /** Maximum number of held-out tokens per domain. */
  tokens: z.int().min(1),
  batch: z.int().min(1),
  /** Maximum number of problems per domain whose answers are compared; 0 for none. */
  answers: z.int().min(0),
});
export type EvaluateSpec = z.infer<typeof evaluateSpecSchema>;

/** The Branch-Train-Merge ensemble of the experts. Parents: data, the experts' evaluations (role "expert:<name>"). */
export const btmSpecSchema = z.strictObject({
  kind: z.literal("btm"),
  experts: z.array(z.string()).min(1),
  domains: z.array(z.string()).min(1),
  /** "tf-idf": cosine to each expert's mean tf-idf; "bayes": posterior, updated after each token. */
  weights: z.enum(["tf-idf", "bayes"]),
  k: z.int().min(1),
});
export type BtmSpec = z.infer<typeof btmSpecSchema>;

export const stageSpecSchema = z.discriminatedUnion("kind", [
  dataSpecSchema,
  seedSpecSchema,
  expertSpecSchema,
  mixSpecSchema,
  finetuneSpecSchema,
  evaluateSpecSchema,
  averageSpecSchema,
  denseSpecSchema,
  upcyclingSpecSchema,
  btmSpecSchema,
]);
export type StageSpec = z.infer<typeof stageSpecSchema>;
export type StageKind = StageSpec["kind"];
export type SeedSpec = z.infer<typeof seedSpecSchema>;
export type TrainSpec =
  | SeedSpec
  | z.infer<typeof expertSpecSchema>
  | z.infer<typeof finetuneSpecSchema>
  | z.infer<typeof denseSpecSchema>
  | z.infer<typeof upcyclingSpecSchema>;

/** One node of a plan: a stage and the stages that it needs. */
export const plannedStageSchema = z.strictObject({
  /** Readable name, unique within a plan: "seed", "expert:code", "evaluate:finetune". */
  name: z.string(),
  key: z.string().regex(/^[0-9a-f]{16}$/),
  spec: stageSpecSchema,
  /** Maps a role ("data", "model", "expert:code") to the name of a stage in the same plan. */
  parents: z.record(z.string(), z.string()),
});
export type PlannedStage = z.infer<typeof plannedStageSchema>;

/** Stages in topological order: each comes after its parents. */
export type Plan = PlannedStage[];

/** Held-out results of one model on one domain. */
export const domainLossSchema = z.strictObject({
  /** Mean negative log-likelihood, nats per token. */
  nats: z.number(),
  bitsPerByte: z.number(),
  tokens: z.int(),
  bytes: z.int(),
  /** Fraction of answers that match exactly, if the domain declares answers. */
  exactMatch: z.number().optional(),
  /** Number of problems compared for `exactMatch`. */
  answers: z.int().optional(),
});
export type DomainLoss = z.infer<typeof domainLossSchema>;

/** Results of a finished stage; which ones depends on its kind. */
export const stageResultSchema = z.strictObject({
  /** Tokens trained on or evaluated. */
  tokens: z.number().optional(),
  tokensPerSecond: z.number().optional(),
  steps: z.int().optional(),
  /** Mean training loss over the last tenth of the steps, nats per token. */
  trainingLoss: z.number().optional(),
  parameters: z.number().optional(),
  activeParameters: z.number().optional(),
  /** Number of parameters that every phase froze; absent if none were frozen. */
  frozenParameters: z.number().optional(),
  /** Floating-point operations of training. */
  flops: z.number().optional(),
  losses: z.record(z.string(), domainLossSchema).optional(),
  routing: routingSummarySchema.optional(),
});
export type StageResult = z.infer<typeof stageResultSchema>;

/** Length of a file, and its digest: xxHash64, 16 hexadecimal digits. */
export const fileDigestSchema = z.strictObject({ bytes: z.int().min(0), digest: z.string() });
export type FileDigest = z.infer<typeof fileDigestSchema>;
export const fileDigestsSchema = z.record(z.string(), fileDigestSchema);
/** By the file's path below the stage's folder, with slashes. */
export type FileDigests = z.infer<typeof fileDigestsSchema>;

export const stageStatusSchema = z.enum(["running", "stopped", "failed", "done"]);
export type StageStatus = z.infer<typeof stageStatusSchema>;

/** `stage.json`. A killed process leaves the status "running" without a held lock; readers report it as interrupted. */
export const stageRecordSchema = z.strictObject({
  version: z.literal(1),
  kind: z.string(),
  name: z.string(),
  key: z.string(),
  /** Maps roles to keys. */
  parents: z.record(z.string(), z.string()),
  spec: stageSpecSchema,
  status: stageStatusSchema,
  /** The engine and device last used, a description of the device, and why it was chosen. */
  engine: z.string(),
  device: z.string(),
  description: z.string().optional(),
  why: z.string().optional(),
  threads: z.int(),
  /** All engines and devices used, in order, if there was more than one. */
  ranOn: z.array(deviceReferenceSchema.extend({ description: z.string() })).optional(),
  /** ISO 8601 times. */
  created: z.string(),
  started: z.string().optional(),
  finished: z.string().optional(),
  /** Working time of the stage's processes over all starts, seconds. */
  seconds: z.number(),
  versions: z.record(z.string(), z.string()),
  result: stageResultSchema.optional(),
  /** Digests of its files, when it is done; absent in stages of older versions. */
  files: fileDigestsSchema.optional(),
  error: z.string().optional(),
});
export type StageRecord = z.infer<typeof stageRecordSchema>;

/**
 * One line of `metrics.jsonl`: metrics after `step` optimizer steps. Routers with other auxiliary losses add a column
 * for each, scaled.
 */
export const metricSchema = z
  .object({
    step: z.int(),
    steps: z.int(),
    /** Tokens trained on so far. */
    tokens: z.number(),
    /** Working time of the stage so far, seconds. */
    seconds: z.number(),
    /** Language-modelling loss of the step, nats per token. */
    loss: z.number(),
    /** Load-balancing loss, scaled by its coefficient; absent if there is none. In older files it includes `zLoss`. */
    loadBalance: z.number().optional(),
    /** Router z-loss, scaled by its coefficient; absent if there is none. */
    zLoss: z.number().optional(),
    /** The step's dropped tokens / (tokens * Mixture-of-Experts layers); absent if routers have no capacity. */
    droppedShare: z.number().optional(),
    /** Global gradient norm over the trained parameters, before clipping. */
    gradientNorm: z.number(),
    learningRate: z.number(),
    tokensPerSecond: z.number(),
    /** Floating-point operations so far; see `flopsPerToken`. */
    flops: z.number().optional(),
    /** Resident memory of the stage's process, bytes. */
    memory: z.number().optional(),
    /** Other auxiliary losses of the routers, by name, scaled. */
  })
  .catchall(z.number().optional().catch(undefined));
export type Metric = z.infer<typeof metricSchema>;
