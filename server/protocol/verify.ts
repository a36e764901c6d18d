import * as z from "zod";

/** What is wrong in a run folder: a sentence, and the stage whose file it is about. */
export const verifyProblemSchema = z.strictObject({ stage: z.string().optional(), message: z.string() });
export type VerifyProblem = z.infer<typeof verifyProblemSchema>;

/** The result of `btx verify`. */
export const verifiedSchema = z.strictObject({
  run: z.string(),
  /** Files that were read whole and compared with what was written, and their bytes. */
  files: z.int(),
  bytes: z.int(),
  problems: z.array(verifyProblemSchema),
  /** What could not be checked, and why, in sentences. */
  unchecked: z.array(z.string()),
});
export type Verified = z.infer<typeof verifiedSchema>;

/** One line of `btx verify --json`. The last is `result`. */
export const verifyEventSchema = z.discriminatedUnion("event", [
  z.strictObject({
    event: z.literal("progress"),
    stage: z.string(),
    /** Bytes read so far, and bytes of all files of the run's stages. */
    done: z.number(),
    total: z.number(),
  }),
  z.strictObject({ event: z.literal("result"), ...verifiedSchema.shape }),
]);
export type VerifyEvent = z.infer<typeof verifyEventSchema>;
