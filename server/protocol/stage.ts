import * as z from "zod";
import { deviceReferenceSchema } from "./devices.ts";
import { modelConfigSchema, routerConfigSchema } from "./model.ts";
import { routingSummarySchema } from "./routingFiles.ts";

/**
 * What a stage is asked to do (its spec) and what it writes of itself (its record, `stage.json`).
 * A stage's key is a hash of its kind, its spec and its parents' keys, so equal work has an equal key.
 */

/**
 * Groups of parameters that can be left untrained. "experts": the experts of Mixture-of-Experts layers; "attention": the
 * attention projections; "router": the routers; "embeddings": the embedding and the head.
 */
export const frozenGroupSchema = z.enum(["experts", "attention", "router", "embeddings"]);
export type FrozenGroup = z.infer<typeof frozenGroupSchema>;

/** The groups that parameters are in, each in one; "norms" and "dense" (the feed-forward blocks of dense layers) beside those above. */
export const parameterGroupSchema = z.enum([...frozenGroupSchema.options, "norms", "dense"]);
export type ParameterGroup = z.infer<typeof parameterGroupSchema>;

/** A group, or one expert by its name: "expert:code". */
export const freezeItemSchema = z.union([parameterGroupSchema, z.templateLiteral(["expert:", z.string().min(1)])]);
export type FreezeItem = z.infer<typeof freezeItemSchema>;

/** Parameters that are not trained: those that are named, or all but those. */
export const freezeSchema = z.union([
  z.array(freezeItemSchema),
  z.strictObject({ allBut: z.array(freezeItemSchema).min(1) }),
]);
export type Freeze = z.infer<typeof freezeSchema>;

/** How a model is trained in one phase. Rates and steps as in BTX §4.1.2. */
export const trainingConfigSchema = z.strictObject({
  /** Sequences an optimizer step (B). */
  batch: z.int().min(1),
  /** Sequences a micro-batch; divides `batch`. Gradients are accumulated over batch / microBatch of them. */
  microBatch: z.int().min(1),
  learningRate: z.number().positive(),
  /** The cosine ends at this share of the peak learning rate. */
  finalLearningRate: z.number().min(0).max(1),
  /** Steps of linear warm-up. */
  warmup: z.int().min(0),
  weightDecay: z.number().min(0),
  beta1: z.number().min(0).lt(1),
  beta2: z.number().min(0).lt(1),
  epsilon: z.number().positive(),
  /** Largest global gradient norm; 0 switches clipping off. */
  clip: z.number().min(0),
  /** Attention and feed-forward blocks are computed once more for their gradients, not kept. */
  recompute: z.literal(true).optional(),
  /** Of products in attention and feed-forward blocks, with a scaled loss; absent: float32. Parameters are float32 in any. */
  precision: z.literal("float16").optional(),
  /** Parameters that are not trained; absent: none. */
  freeze: freezeSchema.optional(),
  /** What routers with two stages do: "fixed" uses what "learn" has learned; absent: "learn". Others do the same in both. */
  routerStage: z.literal("fixed").optional(),
});
export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/** What a phase minimises: the type names an entry of the table of objectives (stages/training/objectives.ts). */
export const objectiveSchema = z.discriminatedUnion("type", [z.strictObject({ type: z.literal("next-token") })]);
export type Objective = z.infer<typeof objectiveSchema>;

/** One stretch of training with its own data and its own learning-rate schedule. */
export const phaseSchema = z.strictObject({
  /** Tokens to train on; the number of steps is this over batch * context, rounded up. */
  tokens: z.int().min(1),
  /** Weight of each domain in the mixture; any positive scale. */
  mixture: z.record(z.string(), z.number().positive()),
  training: trainingConfigSchema,
  /** What is minimised; absent: next-token loss plus the routers' auxiliary losses. */
  objective: objectiveSchema.optional(),
  /** The optimizer's moments and their step go on from the phase before; absent: they start from zero. */
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
  /** Hash of the files' contents, in order. */
  sha256: z.string(),
  /** For .jsonl and .parquet: a field's name, or a template such as "{question}\n{answer}". */
  text: z.string().optional(),
  /** How an answer is found: the text after the last such marker up to its line's end. Declared: exact match is measured. */
  answerAfter: z.string().optional(),
});
export type DomainSpec = z.infer<typeof domainSpecSchema>;

export const dataSpecSchema = z.strictObject({
  kind: z.literal("data"),
  tokenizer: tokenizerSpecSchema,
  domains: z.record(z.string(), domainSpecSchema),
  /** Share of documents held out, chosen by a hash of their content. */
  heldOut: z.number().gt(0).lt(1),
});
export type DataSpec = z.infer<typeof dataSpecSchema>;

/** Model sizes without the vocabulary, which is known once the data stage is done. */
export const modelShapeSchema = modelConfigSchema.omit({ vocab: true, moe: true });
export type ModelShape = z.infer<typeof modelShapeSchema>;

/** The seed: trained from random weights, or taken from a checkpoint folder. Parents: data. */
export const seedSpecSchema = z.strictObject({
  kind: z.literal("seed"),
  model: modelShapeSchema,
  /** Seed of all random numbers of the stage. */
  randomSeed: z.int(),
  /** Absent: random weights. Otherwise a folder in a Hugging Face layout and the hash of its weights. */
  from: z.strictObject({ path: z.string(), sha256: z.string() }).optional(),
  phases: z.array(phaseSchema),
});

/** An expert, a finetuned mixed model or a baseline: a parent model trained on. Parents: data, model. */
const trainSpec = <K extends string>(kind: K) =>
  z.strictObject({ kind: z.literal(kind), randomSeed: z.int(), phases: z.array(phaseSchema).min(1) });
export const expertSpecSchema = trainSpec("expert");
export const finetuneSpecSchema = trainSpec("finetune");
export const denseSpecSchema = trainSpec("dense");
export const upcyclingSpecSchema = trainSpec("upcycling");

/** Parents: one a name in `experts`, role "expert:<name>"; data, where the routers' rows come from text. */
export const mixSpecSchema = z.strictObject({
  kind: z.literal("mix"),
  experts: z.array(z.string()).min(1),
  /** Layers whose feed-forward block becomes a Mixture-of-Experts, ascending; absent: all. The others are averaged. */
  layers: z.array(z.int().min(0)).min(1).optional(),
  router: routerConfigSchema,
  /** Each expert is cut in this many of equal width. BTX §3.3. */
  split: z.int().min(2).optional(),
  /** Expert n is made of the n-th parts of all models' feed-forward blocks. BTX §3.3. */
  blend: z.literal(true).optional(),
  /**
   * Where the routers' rows come from; absent: random numbers. "domains": the mean embedding of `tokens` tokens of each
   * expert's domain; "hidden": in each layer, their mean hidden state before the router.
   */
  routerInit: z.strictObject({ from: z.enum(["domains", "hidden"]), tokens: z.int().min(1) }).optional(),
  randomSeed: z.int(),
});
export type MixSpec = z.infer<typeof mixSpecSchema>;

/** All weights averaged. Parents: role "expert:<name>". */
export const averageSpecSchema = z.strictObject({ kind: z.literal("average"), experts: z.array(z.string()).min(1) });

/** Held-out loss, routing and exact match of one model. Parents: data, model. */
export const evaluateSpecSchema = z.strictObject({
  kind: z.literal("evaluate"),
  domains: z.array(z.string()).min(1),
  /** Held-out tokens a domain, at most. */
  tokens: z.int().min(1),
  batch: z.int().min(1),
  /** Problems a domain whose answers are compared, at most; 0 for none. */
  answers: z.int().min(0),
});
export type EvaluateSpec = z.infer<typeof evaluateSpecSchema>;

/** The Branch-Train-Merge ensemble of the experts, from their evaluations. Parents: data, "expert:<name>" (evaluations). */
export const btmSpecSchema = z.strictObject({
  kind: z.literal("btm"),
  experts: z.array(z.string()).min(1),
  domains: z.array(z.string()).min(1),
  /** "tf-idf": cosine to each expert's mean tf-idf; "bayes": posterior updated a token. */
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

/** One node of a plan: a stage and the stages it needs. */
export const plannedStageSchema = z.strictObject({
  /** Unique within a plan, for people: "seed", "expert:code", "evaluate:finetune". */
  name: z.string(),
  key: z.string().regex(/^[0-9a-f]{16}$/),
  spec: stageSpecSchema,
  /** Role ("data", "model", "expert:code") to the name of the stage in the same plan that fills it. */
  parents: z.record(z.string(), z.string()),
});
export type PlannedStage = z.infer<typeof plannedStageSchema>;

/** Stages in an order in which each comes after its parents. */
export type Plan = PlannedStage[];

/** Held-out result of one model on one domain. */
export const domainLossSchema = z.strictObject({
  /** Mean negative log-likelihood, nats per token. */
  nats: z.number(),
  bitsPerByte: z.number(),
  tokens: z.int(),
  bytes: z.int(),
  /** Share of answers that match exactly, where the domain declares them. */
  exactMatch: z.number().optional(),
  /** Problems compared for `exactMatch`. */
  answers: z.int().optional(),
});
export type DomainLoss = z.infer<typeof domainLossSchema>;

/** What a finished stage has to say, by what it does. */
export const stageResultSchema = z.strictObject({
  /** Tokens trained on or evaluated. */
  tokens: z.number().optional(),
  tokensPerSecond: z.number().optional(),
  steps: z.int().optional(),
  /** Mean training loss of the last tenth of the steps, nats. */
  trainingLoss: z.number().optional(),
  parameters: z.number().optional(),
  activeParameters: z.number().optional(),
  /** Parameters that no phase trained, where groups were frozen. */
  frozenParameters: z.number().optional(),
  /** Floating-point operations of training. */
  flops: z.number().optional(),
  losses: z.record(z.string(), domainLossSchema).optional(),
  routing: routingSummarySchema.optional(),
});
export type StageResult = z.infer<typeof stageResultSchema>;

export const stageStatusSchema = z.enum(["running", "stopped", "failed", "done"]);
export type StageStatus = z.infer<typeof stageStatusSchema>;

/** `stage.json`. A killed process leaves "running" with a lock nobody holds: readers call that interrupted. */
export const stageRecordSchema = z.strictObject({
  version: z.literal(1),
  kind: z.string(),
  name: z.string(),
  key: z.string(),
  /** Role to key. */
  parents: z.record(z.string(), z.string()),
  spec: stageSpecSchema,
  status: stageStatusSchema,
  /** What it was last worked on with, what that is, and why it was that. */
  engine: z.string(),
  device: z.string(),
  description: z.string().optional(),
  why: z.string().optional(),
  threads: z.int(),
  /** All that it was worked on with, one after the other, where that is more than one. */
  ranOn: z.array(deviceReferenceSchema.extend({ description: z.string() })).optional(),
  /** ISO 8601 times. */
  created: z.string(),
  started: z.string().optional(),
  finished: z.string().optional(),
  /** Seconds the stage's processes have worked, over all starts. */
  seconds: z.number(),
  versions: z.record(z.string(), z.string()),
  result: stageResultSchema.optional(),
  error: z.string().optional(),
});
export type StageRecord = z.infer<typeof stageRecordSchema>;

/**
 * One line of `metrics.jsonl`: what is true after `step` optimizer steps. Routers with auxiliary losses of other names have a
 * column for each, scaled.
 */
export const metricSchema = z
  .object({
    step: z.int(),
    steps: z.int(),
    /** Tokens trained on so far. */
    tokens: z.number(),
    /** Seconds the stage has worked so far. */
    seconds: z.number(),
    /** Language-modelling loss of the step, nats per token. */
    loss: z.number(),
    /** Load-balancing loss, scaled by its coefficient; absent where nothing is balanced by a loss. Older files: plus `zLoss`. */
    loadBalance: z.number().optional(),
    /** Router z-loss, scaled by its coefficient; absent where there is none. */
    zLoss: z.number().optional(),
    /** Dropped tokens over tokens times Mixture-of-Experts layers of the step; absent where routers have no capacity. */
    droppedShare: z.number().optional(),
    /** Global norm over the trained parameters, before clipping. */
    gradientNorm: z.number(),
    learningRate: z.number(),
    tokensPerSecond: z.number(),
    /** Floating-point operations so far, see `flopsPerToken`. */
    flops: z.number().optional(),
    /** Resident memory of the stage's process, bytes. */
    memory: z.number().optional(),
    /** Any other auxiliary loss of the routers, by its name, scaled. */
  })
  .catchall(z.number().optional());
export type Metric = z.infer<typeof metricSchema>;
