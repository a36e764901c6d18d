import * as z from "zod";
import { chartColors } from "./colors.ts";
import { inspections } from "./inspect.ts";
import { stageReferenceSchema, stateSchema } from "./stageReference.ts";

/** Questions of pages about models and the origin of experts, over the stream (stream.ts). */

const idSchema = z.int().min(0);
const inspectionSchema = z.enum(Object.keys(inspections) as [keyof typeof inspections]);

export const inspectionPageMessages = [
  /** Asks the inspector; `params` are those of `inspections`. Answered with news, and then with `inspected`. */
  z.strictObject({ type: z.literal("inspect"), id: idSchema, inspection: inspectionSchema, params: z.unknown() }),
  z.strictObject({
    type: z.literal("expertOrigin"),
    id: idSchema,
    model: stageReferenceSchema,
    expert: z.string().min(1).max(200),
  }),
] as const;

const stageSchema = z.strictObject({
  ...stageReferenceSchema.shape,
  /** Name in the plan: "expert:code". */
  name: z.string(),
  color: z.enum(chartColors).optional(),
  state: stateSchema,
  /** Tokens it has been trained on so far. */
  tokens: z.number().optional(),
  seconds: z.number().optional(),
  /** Held-out loss by domain, nats per token, if its own model was evaluated. */
  losses: z.record(z.string(), z.number()).optional(),
  /** Domains it was trained on, and the share of each in its last phase. */
  mixture: z.record(z.string(), z.number()).optional(),
});

/** What an expert of a mixed model was made of. */
export const expertOriginSchema = z.strictObject({
  /**
   * "whole": the block of one model; "part": one of equal parts of it; "blend": of parts of all; "copy": of the seed.
   */
  made: z.enum(["whole", "part", "blend", "copy"]),
  /** Of "part": which one, from 1, and of how many. */
  part: z.strictObject({ number: z.int(), of: z.int() }).optional(),
  /** The stages whose blocks it was made from. */
  sources: z.array(stageSchema),
  /** The mixed models that contain it, this one first: their run and stage. */
  uses: z.array(z.strictObject({ run: z.string(), name: z.string(), stage: stageSchema })),
});
export type ExpertOrigin = z.infer<typeof expertOriginSchema>;

export const inspectionHubMessages = [
  /** News of `inspections`. */
  z.strictObject({ type: z.literal("inspectionNews"), id: z.int(), news: z.unknown() }),
  z.strictObject({ type: z.literal("inspected"), id: z.int(), answer: z.unknown() }),
  z.strictObject({ type: z.literal("expertOrigin"), id: z.int(), origin: expertOriginSchema }),
] as const;
