import { prepareData } from "../data/prepare.ts";
import type { DataSpec } from "../protocol/stage.ts";
import type { StageWork } from "./context.ts";

/** Prepares the experiment's text: makes the tokenizer and writes each domain's training and held-out tokens. */
export const data: StageWork<DataSpec> = async (context) => {
  const index = await prepareData(context.spec, context.paths.folder, {
    onProgress: context.progress,
    stopRequested: context.stopRequested,
  });
  return {
    tokens: Object.values(index.domains).reduce((sum, { train, heldout }) => sum + train.tokens + heldout.tokens, 0),
  };
};
