import * as z from "zod";
import { axesSchema, inspections, sampledTokenSchema } from "../inspect.ts";
import { absolutePathSchema, runReferenceSchema, stageReferenceSchema } from "./basics.ts";

/** What is done with finished models and runs, and asked of models in the text itself. A request that is cancelled ends its work at once. */

export const modelRequests = {
  /** Continues a prompt with the model of a stage. The text comes in pieces, as "btx/sampled" with this `id`. */
  "btx/sample": {
    params: z.strictObject({
      ...stageReferenceSchema.shape,
      id: z.string(),
      prompt: z.string().max(1_000_000),
      /** Tokens to make. */
      tokens: z.int().min(1).max(1_000_000),
      temperature: z.number().min(0).max(100),
      randomSeed: z.int().min(0),
    }),
    result: z.strictObject({}),
  },
  /** Copies the checkpoint of a stage to a folder that must not be there yet. */
  "btx/exportModel": {
    params: z.strictObject({ ...stageReferenceSchema.shape, folder: absolutePathSchema }),
    result: z.strictObject({ bytes: z.number() }),
  },
  /** Sets models of runs side by side, as `btx compare` does. Gives the path of the page. */
  "btx/compareRuns": {
    params: z.strictObject({ runs: z.array(runReferenceSchema).min(1).max(100) }),
    result: z.strictObject({ page: absolutePathSchema }),
  },
  /** Writes a copy of a run's experiment whose seed is a model of the run, beside the experiment file. Gives its path. */
  "btx/forkRun": { params: stageReferenceSchema, result: z.strictObject({ file: absolutePathSchema }) },
  /** Writes the demo experiment and its texts into a folder that must be empty or not there. Gives the file's path. */
  "btx/writeDemo": {
    params: z.strictObject({ folder: absolutePathSchema }),
    result: z.strictObject({ file: absolutePathSchema }),
  },
  /** Where each token of a text goes. */
  "btx/route": inspections.route,
  /** Continues a prompt with a model. Tokens come as "btx/sampledToken" with this `id`; routing refers to the first's axes. */
  "btx/sampleTokens": {
    params: z.strictObject({ ...inspections.sample.params.shape, id: z.string() }),
    result: inspections.sample.result,
  },
};

export const modelNews = {
  /** The next piece of a continuation. */
  "btx/sampled": z.strictObject({ id: z.string(), text: z.string() }),
  /** The beginning of a continuation, with what routing refers to, and then each token. */
  "btx/sampledToken": z.union([
    z.strictObject({ id: z.string(), axes: axesSchema }),
    z.strictObject({ id: z.string(), token: sampledTokenSchema }),
  ]),
};
