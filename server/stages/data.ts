import { prepareData } from "../data/prepare.ts";
import type { DataSpec } from "../protocol/stage.ts";
import type { StageWork } from "./context.ts";

/** The experiment's text as tokens: the tokenizer, and each domain split into what is trained on and what is held out. */
export const data: StageWork<DataSpec> = async (context) => {
  const index = await prepareData(context.spec, context.paths.folder, {
    onProgress: context.progress,
    stopRequested: context.stopRequested,
  });
  return {
    tokens: Object.values(index.domains).reduce((sum, { train, heldout }) => sum + train.tokens + heldout.tokens, 0),
  };
};
