import * as z from "zod";
import { runStatusSchema } from "../run.ts";
import { absolutePathSchema, coresSchema, runReferenceSchema } from "./basics.ts";

/** Runs: starting, stopping and listing them. */

/** A run as lists show it. */
export const listedRunSchema = z.strictObject({
  ...runReferenceSchema.shape,
  /** Name and absolute path of the experiment when the run was started. */
  name: z.string(),
  file: z.string(),
  /** "interrupted": its runner was killed. */
  state: z.enum([...runStatusSchema.options, "interrupted"]),
  created: z.string(),
  finished: z.string().optional(),
  /** Seconds that runners have worked on it. */
  seconds: z.number().min(0).optional(),
  error: z.string().optional(),
  /** Path of `report.html`, if it exists. */
  report: z.string().optional(),
});
export type ListedRun = z.infer<typeof listedRunSchema>;

export const runRequests = {
  /**
   * Starts a run of an experiment file in separate processes, which outlive the editor and the backend. `stage` limits
   * it to a stage, or a section's stages, and their dependencies.
   */
  "btx/startRun": {
    params: z.strictObject({
      file: absolutePathSchema,
      cores: coresSchema,
      randomSeed: z.int().min(0).optional(),
      stage: z.string().min(1).max(200).optional(),
    }),
    result: runReferenceSchema,
  },
  /** Resumes a run that was stopped, failed or interrupted. */
  "btx/resumeRun": {
    params: z.strictObject({ ...runReferenceSchema.shape, cores: coresSchema }),
    result: runReferenceSchema,
  },
  /** Asks a run to stop after a checkpoint. Returns whether it was running. */
  "btx/stopRun": { params: runReferenceSchema, result: z.strictObject({ running: z.boolean() }) },
  /**
   * The runs next to the given experiment files, newest first, and why others could not be read. From then on, the
   * backend reports changes next to these files only.
   */
  "btx/watchRuns": {
    params: z.strictObject({ files: z.array(absolutePathSchema) }),
    result: z.strictObject({ runs: z.array(listedRunSchema), problems: z.array(z.string()) }),
  },
  /** The log of a run's runner from a byte offset, and whether it is running; `offset` is where to continue. */
  "btx/runLog": {
    params: z.strictObject({ ...runReferenceSchema.shape, offset: z.int().min(0) }),
    result: z.strictObject({ text: z.string(), offset: z.int(), state: listedRunSchema.shape.state }),
  },
  /** Names of the stages that an experiment file can be run up to. */
  "btx/stageNames": {
    params: z.strictObject({ file: absolutePathSchema }),
    result: z.strictObject({ stages: z.array(z.strictObject({ name: z.string(), does: z.string() })) }),
  },
};

export const runNotifications = {
  /** Runs that started, ended, changed or were removed. */
  "btx/runsChanged": z.strictObject({
    runs: z.array(listedRunSchema),
    removed: z.array(runReferenceSchema),
    problems: z.array(z.string()),
  }),
};
