import * as z from "zod";
import { axesSchema, inspections, sampledTokenSchema } from "../inspect.ts";
import { verifiedSchema } from "../verify.ts";
import { absolutePathSchema, runReferenceSchema, stageReferenceSchema } from "./basics.ts";

/** Requests about finished models and runs. Cancelling a request ends its work at once. */

export const modelRequests = {
  /** Continues a prompt with the model of a stage. The text is sent in pieces, as "btx/sampled" with this `id`. */
  "btx/sample": {
    params: z.strictObject({
      ...stageReferenceSchema.shape,
      id: z.string(),
      prompt: z.string().max(1_000_000),
      /** Number of tokens to generate. */
      tokens: z.int().min(1).max(1_000_000),
      temperature: z.number().min(0).max(100),
      randomSeed: z.int().min(0),
    }),
    result: z.strictObject({}),
  },
  /** Copies the checkpoint of a stage to a folder that must not exist yet. */
  "btx/exportModel": {
    params: z.strictObject({ ...stageReferenceSchema.shape, folder: absolutePathSchema }),
    result: z.strictObject({ bytes: z.number() }),
  },
  /** Compares models of several runs, as `btx compare` does. Returns the path of the page. */
  "btx/compareRuns": {
    params: z.strictObject({ runs: z.array(runReferenceSchema).min(1).max(100) }),
    result: z.strictObject({ page: absolutePathSchema }),
  },
  /** Reads all files of a run, as `btx verify` does; progress is sent as "btx/verifying" with this `id`. */
  "btx/verifyRun": {
    params: z.strictObject({ ...runReferenceSchema.shape, id: z.string() }),
    result: verifiedSchema,
  },
  /**
   * Writes a copy of a run's experiment that uses a model of the run as its seed, next to the experiment file. Returns
   * its path.
   */
  "btx/forkRun": { params: stageReferenceSchema, result: z.strictObject({ file: absolutePathSchema }) },
  /**
   * Writes the demo experiment and its texts into a folder that must be empty or not exist. Returns the file's path.
   */
  "btx/writeDemo": {
    params: z.strictObject({ folder: absolutePathSchema }),
    result: z.strictObject({ file: absolutePathSchema }),
  },
  /** Computes where each token of a text is routed. */
  "btx/route": inspections.route,
  /**
   * Continues a prompt with a model. Tokens are sent as "btx/sampledToken" with this `id`; the first message has the
   * axes.
   */
  "btx/sampleTokens": {
    params: z.strictObject({ ...inspections.sample.params.shape, id: z.string() }),
    result: inspections.sample.result,
  },
};

export const modelNotifications = {
  /** Progress of verifying a run: bytes, and the stage that is being read. */
  "btx/verifying": z.strictObject({ id: z.string(), stage: z.string(), done: z.number(), total: z.number() }),
  /** The next piece of a continuation. */
  "btx/sampled": z.strictObject({ id: z.string(), text: z.string() }),
  /** News of a continuation: first the axes of its routing, then each token. */
  "btx/sampledToken": z.union([
    z.strictObject({ id: z.string(), axes: axesSchema }),
    z.strictObject({ id: z.string(), token: sampledTokenSchema }),
  ]),
};
