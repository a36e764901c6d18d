import * as z from "zod";
import { keptSchema } from "../../server/protocol/page.ts";
import { axisSchema, measureSchema } from "../../server/protocol/stream.ts";

const rangeSchema = z.tuple([z.number(), z.number()]).refine(([low, high]) => low < high);

/** Choices of smoothing: recorded values per mean. */
export const smoothings = [1, 5, 11, 21, 51, 101, 201, 501, 1001, 2001, 5001, 10_001, 100_001] as const;

/** The user's choices, kept when the page is closed. */
export const stateSchema = z.object({
  runs: keptSchema.shape.runs.default([]),
  title: z.string().max(200).default("Metrics"),
  axis: axisSchema.default("step"),
  /** Whether all stages start at zero. */
  fromZero: z.boolean().default(false),
  smoothing: z.int().min(1).max(10_000_000).default(11),
  log: z.boolean().default(false),
  /** Measures that have a chart, in this order. */
  charts: z.array(measureSchema).default(["loss"]),
  /** Absent: everything, including values still to come. */
  range: rangeSchema.optional(),
  /** By measure; absent: fitted to the lines. */
  rangesY: z.partialRecord(measureSchema, rangeSchema).default({}),
  /** Ids of stages that are not drawn. */
  hidden: z.array(z.string()).default([]),
  /** What colours distinguish. */
  colorBy: z.enum(["stage", "run"]).default("stage"),
  mode: z.enum(["zoom", "pan", "select"]).default("zoom"),
  table: z.boolean().default(false),
});
export type PageState = z.infer<typeof stateSchema>;
