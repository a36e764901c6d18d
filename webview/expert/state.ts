import * as z from "zod";
import { keptSchema } from "../../server/protocol/page.ts";

/** The user's choices, kept when the page is closed. */
export const stateSchema = z.object({
  runs: keptSchema.shape.runs.default([]),
  title: z.string().max(200).default("Expert"),
  /** Id of a model; absent: the first. */
  model: z.string().optional(),
  /** Name of the expert; absent: the first. */
  expert: z.string().optional(),
  /** Number of the layer in the model; absent: all layers. */
  layer: z.int().min(0).optional(),
  /** Prompt of the two experts side by side. */
  prompt: z.string().max(2000).default(""),
  other: z.string().optional(),
  tokens: z.int().min(1).max(1000).default(60),
  randomSeed: z.int().min(0).default(0),
});
export type PageState = z.infer<typeof stateSchema>;
