import * as z from "zod";

/** A path from the root of a file system: "/a/b", "C:\a" or "\\server\share". */
export const absolutePathSchema = z.string().regex(/^([/\\]|[A-Za-z]:[/\\])/, "is not an absolute path");

/** A name in a folder of runs or stages; layout.ts rejects names that point outside it. */
const nameSchema = z.string().min(1).max(200);

/** A run: its run folder (`.btx`) and its id. */
export const runReferenceSchema = z.strictObject({ root: absolutePathSchema, run: nameSchema });
export type RunReference = z.infer<typeof runReferenceSchema>;

/** A stage of a run, by its name in the plan. */
export const stageReferenceSchema = z.strictObject({ ...runReferenceSchema.shape, stage: nameSchema });
export type StageReference = z.infer<typeof stageReferenceSchema>;

export const coresSchema = z.int().min(1).optional();
