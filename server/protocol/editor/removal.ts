import * as z from "zod";
import { absolutePathSchema, coresSchema, runReferenceSchema, stageReferenceSchema } from "./basics.ts";

/** Removing runs and stages: the backend first lists what would be lost, then removes what the user confirms. */

const keySchema = z.string().regex(/^[0-9a-f]{16}$/, "is not the key of a stage");

/** A stage's folder that would be removed. */
export const lostStageSchema = z.strictObject({
  key: keySchema,
  /** Its name in the run that first executed it, and that run's experiment. */
  name: z.string(),
  bytes: z.number(),
  /** Working time in seconds. */
  seconds: z.number(),
  /** Other runs that use it. */
  otherRuns: z.int(),
  /** Whether a process is working on it; if so, it is kept. */
  locked: z.boolean(),
  /** ISO 8601 time at which it was last worked on. */
  finished: z.string().optional(),
});
export type LostStage = z.infer<typeof lostStageSchema>;

const lostSchema = z.strictObject({ stages: z.array(lostStageSchema) });
const removedSchema = z.strictObject({
  /** Number of stage folders removed, and their bytes. */
  stages: z.int(),
  bytes: z.number(),
  /** Why others were kept, one sentence each. */
  kept: z.array(z.string()),
});
export type Removed = z.infer<typeof removedSchema>;

export const removalRequests = {
  /** A stage and its dependents in the run, if they have files. */
  "btx/rerunLoses": { params: stageReferenceSchema, result: lostSchema },
  /** Removes these stages and resumes the run, which executes them again. */
  "btx/rerun": {
    params: z.strictObject({ ...stageReferenceSchema.shape, keys: z.array(keySchema), cores: coresSchema }),
    result: runReferenceSchema,
  },
  /** The stages that no other run uses. */
  "btx/deleteLoses": { params: runReferenceSchema, result: lostSchema },
  /** Removes a run, and those of the given stages that no other run uses. */
  "btx/deleteRun": {
    params: z.strictObject({ ...runReferenceSchema.shape, keys: z.array(keySchema) }),
    result: removedSchema,
  },
  /** The stages in a run folder that no run uses. */
  "btx/unusedStages": { params: z.strictObject({ root: absolutePathSchema }), result: lostSchema },
  /** Removes those of the given stages that no run uses and no process is working on. */
  "btx/cleanStages": {
    params: z.strictObject({ root: absolutePathSchema, keys: z.array(keySchema) }),
    result: removedSchema,
  },
};
