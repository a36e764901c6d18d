import * as z from "zod";
import { runReferenceSchema } from "./editor/basics.ts";
import { runStatusSchema } from "./run.ts";

/** How stream messages refer to stages and their states. */

/** A stage: its run folder and its key. */
export const stageReferenceSchema = z.strictObject({ root: runReferenceSchema.shape.root, key: z.string().max(64) });
export type StageReference = z.infer<typeof stageReferenceSchema>;

export const stateSchema = z.enum([...runStatusSchema.options, "interrupted", "waiting"]);
export type State = z.infer<typeof stateSchema>;
