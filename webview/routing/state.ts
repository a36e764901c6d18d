import * as z from "zod";
import { cellMeasureSchema } from "../../server/protocol/measures.ts";
import { keptSchema } from "../../server/protocol/page.ts";
import { allDomains, heldOut } from "../../server/protocol/routing.ts";

const placeSchema = z.int().min(0);
const snapshotSchema = z.int().min(heldOut);

/** The user's choices, kept when the page is closed. */
export const stateSchema = z.object({
  runs: keptSchema.shape.runs.default([]),
  title: z.string().max(200).default("Routing"),
  /** Id of a model; absent: the first. */
  model: z.string().optional(),
  measure: cellMeasureSchema.default("routedShare"),
  /** Absent: always the newest. */
  snapshot: snapshotSchema.optional(),
  /** What to compare with. An absent snapshot stands for the nearest in steps. */
  other: z.object({ model: z.string(), snapshot: snapshotSchema.optional() }).optional(),
  /** Compare side by side, not as a difference. */
  beside: z.boolean().default(false),
  order: z.enum(["mixed", "clustered"]).default("mixed"),
  /** Layer (index) and domain of the pictures below the maps. */
  layer: placeSchema.default(0),
  domain: z.int().min(allDomains).default(allDomains),
  table: z.boolean().default(false),
  /** The cell chosen last: layer and expert. */
  chosen: z.object({ row: placeSchema, column: placeSchema }).optional(),
});
export type PageState = z.infer<typeof stateSchema>;
