import * as z from "zod";
import { absolutePathSchema, coresSchema, runReferenceSchema, stageReferenceSchema } from "./basics.ts";

/** Removing runs and stages: first the backend says what would be lost, then it does what the person has agreed to. */

const keySchema = z.string().regex(/^[0-9a-f]{16}$/, "is not the key of a stage");

/** A stage's folder that would go. */
export const lostStageSchema = z.strictObject({
  key: keySchema,
  /** Its name in the run that first did it, and of what experiment. */
  name: z.string(),
  bytes: z.number(),
  /** Seconds of work in it. */
  seconds: z.number(),
  /** Other runs that use it. */
  otherRuns: z.int(),
  /** A process works on it: it is left alone. */
  locked: z.boolean(),
  /** ISO 8601 time of its last work. */
  finished: z.string().optional(),
});
export type LostStage = z.infer<typeof lostStageSchema>;

const lostSchema = z.strictObject({ stages: z.array(lostStageSchema) });
const removedSchema = z.strictObject({
  /** Stages' folders that were removed, and their bytes. */
  stages: z.int(),
  bytes: z.number(),
  /** Why others were not, a sentence each. */
  kept: z.array(z.string()),
});
export type Removed = z.infer<typeof removedSchema>;

export const removalRequests = {
  /** A stage and what depends on it in the run, as far as there is something of them. */
  "btx/rerunLoses": { params: stageReferenceSchema, result: lostSchema },
  /** Removes these stages and goes on with the run, which does them again. */
  "btx/rerun": {
    params: z.strictObject({ ...stageReferenceSchema.shape, keys: z.array(keySchema), cores: coresSchema }),
    result: runReferenceSchema,
  },
  /** The stages that no other run uses. */
  "btx/deleteLoses": { params: runReferenceSchema, result: lostSchema },
  /** Removes a run, and of its stages those named here that no other run uses. */
  "btx/deleteRun": {
    params: z.strictObject({ ...runReferenceSchema.shape, keys: z.array(keySchema) }),
    result: removedSchema,
  },
  /** The stages of a run folder that no run uses. */
  "btx/unusedStages": { params: z.strictObject({ root: absolutePathSchema }), result: lostSchema },
  /** Removes of these stages those that no run uses and no process works on. */
  "btx/cleanStages": {
    params: z.strictObject({ root: absolutePathSchema, keys: z.array(keySchema) }),
    result: removedSchema,
  },
};
