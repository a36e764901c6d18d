import * as z from "zod";
import { runReferenceSchema } from "./editor/basics.ts";
import { inspectionHubMessages, inspectionPageMessages } from "./pageInspections.ts";
import { routingHubMessages, routingPageMessages } from "./routing.ts";
import { type StageReference, type State, stageReferenceSchema, stateSchema } from "./stageReference.ts";
import { type Measure, measureSchema } from "./trainingMeasures.ts";

export { type Measure, measureSchema, type StageReference, type State, stageReferenceSchema, stateSchema };

/**
 * Messages between a page and the backend over a stream: JSON texts both ways, and binary frames of numbers from the
 * backend (see frame.ts). The stream is a WebSocket, either of the page itself or of its host, which then relays
 * everything.
 *
 * A page asks questions. Each has an id, greater than those before it on the same connection, and so has every message
 * and frame that answers it. `open`, `view` and `openRouting` are answered until they are cancelled or the page asks
 * the same kind again; every other question ends with `done`. One that cannot be answered ends with `problem`.
 */

export const questionIdSchema = z.int().min(0);

/** What the x axis counts. A stage begins where the longest of the stages it comes from ended, unless `fromZero`. */
export const axisSchema = z.enum(["step", "tokens", "seconds", "flops"]);
export type Axis = z.infer<typeof axisSchema>;

/** Limits: runs per page, stages per view, pixel columns. */
export const maxRuns = 50;
export const maxSeries = 500;
export const maxColumns = 16_384;
/** Largest message from a page, bytes. */
export const maxBytes = 64 * 1024;
/** Maximum number of rows of one export. */
export const maxRows = 2_000_000;

const rangeSchema = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high, "is empty");
export type Range = z.infer<typeof rangeSchema>;

/** The page's view: answered with a frame at once, then with frames of whatever changes. */
export const viewSchema = z.strictObject({
  type: z.literal("view"),
  id: questionIdSchema,
  series: z.array(stageReferenceSchema).max(maxSeries),
  measures: z.array(measureSchema).max(measureSchema.options.length),
  axis: axisSchema,
  fromZero: z.boolean(),
  /** Absent: everything recorded. */
  range: rangeSchema.optional(),
  /** Pixel columns of `range`; each line has at most two points per column. */
  columns: z.int().min(1).max(maxColumns),
  /** Number of recorded values averaged into each value of the smoothed line; 1: no smoothed line. */
  smoothing: z.int().min(1).max(10_000_000),
});
export type View = z.infer<typeof viewSchema>;

const selectionSchema = z.strictObject({
  id: questionIdSchema,
  series: z.array(stageReferenceSchema).max(maxSeries),
  axis: axisSchema,
  fromZero: z.boolean(),
  range: rangeSchema.optional(),
});

/** From a page to the backend. */
export const pageMessageSchema = z.discriminatedUnion("type", [
  /** Cancels the question with this id: nothing more is sent for it. */
  z.strictObject({ type: z.literal("cancel"), id: questionIdSchema }),
  /** Lists the runs in these run folders, or all runs that are served. */
  z.strictObject({
    type: z.literal("runs"),
    id: questionIdSchema,
    roots: z.array(runReferenceSchema.shape.root).max(1000),
  }),
  /** The page's runs: answered with `opened` now and whenever they change. */
  z.strictObject({ type: z.literal("open"), id: questionIdSchema, runs: z.array(runReferenceSchema).max(maxRuns) }),
  viewSchema,
  /** Exact figures of a range. */
  z.strictObject({ type: z.literal("statistics"), measure: measureSchema, ...selectionSchema.shape }),
  /** All recorded values of a range as CSV, in binary frames. */
  z.strictObject({ type: z.literal("export"), ...selectionSchema.shape }),
  ...routingPageMessages,
  ...inspectionPageMessages,
]);
export type PageMessage = z.infer<typeof pageMessageSchema>;
export type Question = Exclude<PageMessage, { type: "cancel" }>;

/** One number of a stage and where on the stage's own axes it was recorded. */
const placedSchema = z.strictObject({ value: z.number(), step: z.number() });

/** A stage of a run. */
export const streamedStageSchema = z.strictObject({
  key: z.string(),
  /** As in the plan: "expert:code". */
  name: z.string(),
  kind: z.string(),
  color: z.string().optional(),
  state: stateSchema,
  error: z.string().optional(),
});
export type StreamedStage = z.infer<typeof streamedStageSchema>;

export const streamedRunSchema = z.strictObject({
  ...runReferenceSchema.shape,
  name: z.string(),
  created: z.string(),
  state: stateSchema,
  /** Why it cannot be read; if set, it has no stages. */
  problem: z.string().optional(),
  /** Stages that train. */
  stages: z.array(streamedStageSchema),
  /** Stages that only mix models and have no metrics. */
  mixes: z.array(streamedStageSchema),
});
export type StreamedRun = z.infer<typeof streamedRunSchema>;

/** A row of a list of runs to choose from. */
export const offeredRunSchema = streamedRunSchema.omit({ stages: true, mixes: true, problem: true });
export type OfferedRun = z.infer<typeof offeredRunSchema>;

/** The figures of one measure of one stage. Absent if nothing was recorded. */
export const figuresSchema = z.strictObject({
  count: z.int(),
  mean: z.number(),
  low: placedSchema,
  high: placedSchema,
  first: placedSchema,
  last: placedSchema,
});
export type Figures = z.infer<typeof figuresSchema>;

/** From the backend to a page, in addition to frames. */
export const hubMessageSchema = z.discriminatedUnion("type", [
  /** The answer is complete. */
  z.strictObject({ type: z.literal("done"), id: questionIdSchema }),
  /** The question cannot be answered; the reason is a sentence for the user. */
  z.strictObject({ type: z.literal("problem"), id: questionIdSchema, text: z.string() }),
  z.strictObject({ type: z.literal("runs"), id: questionIdSchema, runs: z.array(offeredRunSchema) }),
  z.strictObject({ type: z.literal("opened"), id: questionIdSchema, runs: z.array(streamedRunSchema) }),
  /** Progress of reading a view's metrics: bytes read and total, over all files that take time. */
  z.strictObject({ type: z.literal("reading"), id: questionIdSchema, done: z.number(), bytes: z.number() }),
  z.strictObject({
    type: z.literal("statistics"),
    id: questionIdSchema,
    figures: z.array(z.strictObject({ ...stageReferenceSchema.shape, figures: figuresSchema.optional() })),
  }),
  ...routingHubMessages,
  ...inspectionHubMessages,
]);
export type HubMessage = z.infer<typeof hubMessageSchema>;

/** Allowed origins of a page: a webview of the editor, on the desktop or in a browser, or a page on this machine. */
export const originSchema = z
  .string()
  .max(300)
  .regex(
    /^(vscode-webview:\/\/[a-z0-9-]+|https:\/\/[a-z0-9.-]+\.(vscode-cdn\.net|vscode-webview-test\.com)|https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?)$/i,
    "is not a page of the editor or of this machine",
  );

/** The origin that the extension host names when it passes a page's messages on. */
export const relayOrigin = "btx-studio://relay";

/**
 * Permission to connect once: the first connection uses up the token, which is only valid for the origin it was issued
 * for.
 */
export const ticketSchema = z.strictObject({
  port: z.int().min(1).max(65_535),
  token: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type Ticket = z.infer<typeof ticketSchema>;

/** The WebSocket subprotocol. The client offers the token as a second one, which keeps it out of addresses and logs. */
export const subprotocol = "btx-stream";
export const tokenPrefix = "btx-token.";
export const streamPath = "/stream";
