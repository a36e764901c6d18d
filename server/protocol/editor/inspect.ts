import * as z from "zod";
import { axesSchema, inspections, sampledTokenSchema } from "../inspect.ts";

/** What is asked of models in the text itself; see protocol/inspect.ts. A request that is cancelled ends its work at once. */

export const inspectRequests = {
  /** Where each token of a text goes. */
  "btx/route": inspections.route,
  /** Continues a prompt with a model. Tokens come as "btx/sampledToken" with this `id`; routing refers to the first's axes. */
  "btx/sampleTokens": {
    params: z.strictObject({ ...inspections.sample.params.shape, id: z.string() }),
    result: inspections.sample.result,
  },
};

export const inspectNews = {
  /** The beginning of a continuation, with what routing refers to, and then each token. */
  "btx/sampledToken": z.union([
    z.strictObject({ id: z.string(), axes: axesSchema }),
    z.strictObject({ id: z.string(), token: sampledTokenSchema }),
  ]),
};
