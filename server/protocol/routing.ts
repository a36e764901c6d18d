import * as z from "zod";
import { chartColors } from "./colors.ts";
import { cellMeasureSchema, layerRowSchema, pairMeasureSchema } from "./measures.ts";
import { placeKindsSchema } from "./routingFiles.ts";
import { stageReferenceSchema, stateSchema } from "./stageReference.ts";

/**
 * Messages between a page and the backend about the routing of mixed models, over the stream (stream.ts). Layers are
 * the L Mixture-of-Experts layers of a model, with E experts of which a token chooses at most k; there are D domains. A
 * snapshot covers the steps since the previous one; `heldOut` is the held-out text that the finished model was
 * evaluated on. Measures of held-out text alone have no snapshots: in training they are taken at probes, counted from
 * 0.
 */

/** Limits: models per page, snapshots per question, pixel columns. */
export const maxModels = 8;
export const maxSnapshots = 64;
export const maxLoadColumns = 4096;

/** The snapshot number of the evaluation, and the domain that stands for all domains. */
export const heldOut = -1;
export const allDomains = -1;

const snapshotSchema = z.int().min(heldOut);
const domainSchema = z.int().min(allDomains);
const idSchema = z.int().min(0);

/** From a page to the backend. */
export const routingPageMessages = [
  /** The stages the page is about; sent again as snapshots arrive or states change. */
  z.strictObject({
    type: z.literal("openRouting"),
    id: idSchema,
    models: z.array(stageReferenceSchema).min(1).max(maxModels),
  }),
  /** Answered with a frame for each snapshot or, for a measure of held-out text only, each probe. */
  z.strictObject({
    type: z.literal("routing"),
    id: idSchema,
    model: stageReferenceSchema,
    snapshots: z.array(snapshotSchema).min(1).max(maxSnapshots),
    measure: cellMeasureSchema,
  }),
  z.strictObject({
    type: z.literal("routingLayers"),
    id: idSchema,
    model: stageReferenceSchema,
    snapshot: snapshotSchema,
  }),
  /**
   * Answered with one frame, from the last record not after the snapshot. Only pairs of held-out text are split by
   * domain.
   */
  z.strictObject({
    type: z.literal("routingPairs"),
    id: idSchema,
    model: stageReferenceSchema,
    what: pairMeasureSchema,
    snapshot: snapshotSchema,
    domain: domainSchema,
  }),
  /** Answered with one frame: the router's softmax of held-out text, as shares of tokens by expert and probability. */
  z.strictObject({
    type: z.literal("routingHistogram"),
    id: idSchema,
    model: stageReferenceSchema,
    /** A probe of the training, or `heldOut`: the evaluation. */
    probe: snapshotSchema,
    /** Index in `layers`. */
    layer: z.int().min(0),
    domain: domainSchema,
  }),
  /** Answered with one frame: how much of the final routing is in place at each probe of the training. */
  z.strictObject({ type: z.literal("routingSaturation"), id: idSchema, model: stageReferenceSchema }),
  /** Answered with one frame of at most `columns` points, each a mean of snapshots. */
  z.strictObject({
    type: z.literal("routingLoad"),
    id: idSchema,
    model: stageReferenceSchema,
    /** Index in `layers`. */
    layer: z.int().min(0),
    domain: domainSchema,
    columns: z.int().min(1).max(maxLoadColumns),
  }),
] as const;

const namedSchema = z.strictObject({ name: z.string(), color: z.enum(chartColors).optional() });

/** A stage that trains a mixed model, and its progress. */
export const routedModelSchema = z.strictObject({
  ...stageReferenceSchema.shape,
  /** Id of the run. */
  run: z.string(),
  /** Name of the stage in the plan. */
  name: z.string(),
  state: stateSchema,
  /** Why it cannot be read; if set, there are no layers, experts or domains. */
  problem: z.string().optional(),
  router: z.string(),
  /** Maximum number of experts per token. */
  k: z.int(),
  /** Numbers of the layers in the model, ascending. */
  layers: z.array(z.int()),
  kinds: placeKindsSchema,
  experts: z.array(namedSchema),
  domains: z.array(namedSchema),
  /** Optimizer steps per snapshot. */
  every: z.int(),
  /** Snapshots so far. */
  snapshots: z.int(),
  /** Optimizer steps planned. */
  steps: z.int(),
  /** What was recorded. */
  cells: z.array(cellMeasureSchema),
  /** Whether there is an evaluation on held-out text. */
  evaluated: z.boolean(),
  /** Whether the evaluation also has pairs and histograms. */
  detailed: z.boolean(),
  /** Name of the stage whose model it continues training: "mix". */
  from: z.string().optional(),
  /** Probes so far; absent if there are no probes. */
  probes: z.int().optional(),
  /** Probes so far of measures of held-out text only, and optimizer steps between them. */
  probed: z.strictObject({ probes: z.int(), every: z.int() }).optional(),
  /** Optimizer steps per record of pairs; absent if pairs are not recorded. */
  pairsEvery: z.int().optional(),
});
export type RoutedModel = z.infer<typeof routedModelSchema>;

/** From the backend to a page, in addition to frames. */
export const routingHubMessages = [
  z.strictObject({ type: z.literal("routingOpened"), id: z.int(), models: z.array(routedModelSchema) }),
  /** One row per domain, and one for all domains. */
  z.strictObject({
    type: z.literal("routingLayers"),
    id: z.int(),
    snapshot: z.int(),
    rows: z.array(layerRowSchema),
  }),
] as const;

const size = z.int().min(0);

/** Headers of frames whose body is float32, of this shape. */
export const routingHeaders = [
  z.strictObject({
    kind: z.literal("routing"),
    id: z.int(),
    ...stageReferenceSchema.shape,
    /** The snapshot or the probe. */
    snapshot: z.int(),
    /** The last step that it covers. */
    step: z.int(),
    measure: cellMeasureSchema,
    /** [domains + 1, layers, experts]; the last domain is all of them. */
    shape: z.tuple([size, size, size]),
    uniform: z.number(),
  }),
  z.strictObject({
    kind: z.literal("pairs"),
    id: z.int(),
    what: pairMeasureSchema,
    step: z.int(),
    /** Layers, or pairs of consecutive layers; experts, experts. */
    shape: z.tuple([size, size, size]),
  }),
  z.strictObject({
    kind: z.literal("histogram"),
    id: z.int(),
    probe: z.int(),
    layer: z.int(),
    domain: z.int(),
    /** Experts, and bins of equal width from 0 to 1. */
    shape: z.tuple([size, size]),
  }),
  z.strictObject({
    kind: z.literal("saturation"),
    id: z.int(),
    /** The step of each probe; 0: before training. */
    steps: z.array(z.int()),
    /** [probes, layers, domains + 1]; the last domain is all of them. */
    shape: z.tuple([size, size, size]),
  }),
  z.strictObject({
    kind: z.literal("load"),
    id: z.int(),
    layer: z.int(),
    domain: z.int(),
    /** Of the points. */
    steps: z.array(z.int()),
    /** Points, experts. */
    shape: z.tuple([size, size]),
  }),
] as const;
