import * as z from "zod";
import { originSchema, relayOrigin, ticketSchema } from "../stream.ts";

/** Streams of pages: the page connects to the backend by itself, see stream.ts. */
export const streamRequests = {
  /** Leave for a page of this origin to connect. The first such request opens the port. */
  "btx/openStream": {
    params: z.strictObject({ origin: z.union([originSchema, z.literal(relayOrigin)]) }),
    result: ticketSchema,
  },
};
