import * as z from "zod";
import { cellMeasureSchema } from "../../server/protocol/measures.ts";
import { keptSchema, maxPageText } from "../../server/protocol/page.ts";

/** The user's choices, kept when the page is closed. */
export const stateSchema = z.object({
  runs: keptSchema.shape.runs.default([]),
  title: z.string().max(200).default("Tokens"),
  /** Id of a model; absent: the first. */
  model: z.string().optional(),
  text: z.string().max(maxPageText).default(""),
  /** Index of a layer. */
  layer: z.union([z.literal("all"), z.int().min(0)]).default("all"),
  /** Experts per token; absent: the model's own. */
  k: z.int().min(1).optional(),
  /** Experts that are switched off. */
  off: z.array(z.string()).default([]),
  /** Width of a token in the grid, CSS pixels. */
  width: z.int().min(2).max(80).default(18),
  /** Measure of the map of layers by experts. */
  measure: cellMeasureSchema.default("routedShare"),
  table: z.boolean().default(false),
});
export type PageState = z.infer<typeof stateSchema>;
