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
  /** Absent: the newest, also what is still to come. */
  snapshot: snapshotSchema.optional(),
  /** What it is compared with. A snapshot that is absent is the one that is nearest in steps. */
  other: z.object({ model: z.string(), snapshot: snapshotSchema.optional() }).optional(),
  /** Compared side by side, not as a difference. */
  beside: z.boolean().default(false),
  order: z.enum(["mixed", "clustered"]).default("mixed"),
  /** Of load and flow: a place among the layers, and a domain. */
  layer: placeSchema.default(0),
  domain: z.int().min(allDomains).default(allDomains),
  table: z.boolean().default(false),
  /** The expert that was chosen last, and in which layer. */
  chosen: z.object({ row: placeSchema, column: placeSchema }).optional(),
});
export type PageState = z.infer<typeof stateSchema>;
