import * as z from "zod";
import { computeSchema } from "./devices.ts";
import { plannedStageSchema } from "./stage.ts";

export const runStatusSchema = z.enum(["running", "stopped", "failed", "done"]);

/** The most of an experiment file that is read, bytes. */
export const maxExperimentBytes = 10 << 20;

/** `run.json`: the experiment as it was run and the stages it uses. */
export const runRecordSchema = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  name: z.string(),
  /** Absolute path of the experiment file, and its text when the run was started. */
  file: z.string(),
  experiment: z.string(),
  /** Random seed that overrides the file's. */
  randomSeed: z.int().optional(),
  /** Engine and devices, from the file or overriding it. Absent in runs of older versions. */
  compute: computeSchema.optional(),
  stages: z.array(plannedStageSchema),
  /** Names of stages that were finished before the run started. */
  reused: z.array(z.string()),
  status: runStatusSchema,
  created: z.string(),
  finished: z.string().optional(),
  /** Seconds that runners have worked on it, by a clock that nobody sets. Absent in runs of older versions. */
  seconds: z.number().min(0).optional(),
  error: z.string().optional(),
});
export type RunRecord = z.infer<typeof runRecordSchema>;

/** How long a run took, seconds; undefined while it is unfinished. */
export function secondsTaken(run: Pick<RunRecord, "created" | "finished" | "seconds">): number | undefined {
  if (run.finished === undefined) return undefined;
  const seconds = run.seconds ?? (Date.parse(run.finished) - Date.parse(run.created)) / 1000;
  return seconds >= 0 ? seconds : undefined;
}

/** One line of `btx run --json`. The last is `result`. */
export const runEventSchema = z.discriminatedUnion("event", [
  z.object({ event: z.literal("run"), run: z.string(), folder: z.string(), stages: z.array(z.string()) }),
  z.object({
    event: z.literal("stage"),
    stage: z.string(),
    status: z.string(),
    key: z.string(),
    reused: z.boolean(),
    error: z.string().optional(),
  }),
  z.object({
    event: z.literal("progress"),
    stage: z.string(),
    step: z.number(),
    steps: z.number(),
    /** The current activity if there are no training steps; the rest is then absent. */
    label: z.string().optional(),
    tokens: z.number().optional(),
    tokensPerSecond: z.number().optional(),
    loss: z.number().optional(),
    secondsLeft: z.number().optional(),
  }),
  z.object({ event: z.literal("message"), text: z.string() }),
]);
export type RunEvent = z.infer<typeof runEventSchema>;

/** The one JSON object that ends `btx run --json` and that `btx show --json` prints. */
export const runSummarySchema = z.object({
  run: z.string(),
  name: z.string(),
  status: z.string(),
  folder: z.string(),
  stages: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      seconds: z.number(),
      tokens: z.number(),
      tokensPerSecond: z.number(),
      reused: z.boolean(),
    }),
  ),
  /** Model to domain to nats per token, and `mean` over domains. */
  losses: z.record(z.string(), z.record(z.string(), z.number())),
  bitsPerByte: z.record(z.string(), z.record(z.string(), z.number())),
  exactMatch: z.record(z.string(), z.record(z.string(), z.number())),
  /** Share of routed tokens of the finished model, [layer][expert][domain]. */
  routing: z.array(z.array(z.array(z.number()))),
});
export type RunSummary = z.infer<typeof runSummarySchema>;
