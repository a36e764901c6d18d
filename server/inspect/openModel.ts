import { dirname } from "node:path";
import { type OpenedModel, openCheckpointFolder } from "../evaluation/openCheckpoint.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import { checkpointOf, type FoundModel } from "../runs/findModel.ts";
import { checkResult } from "../runs/stageFiles.ts";

/** Reads the model that a stage of `found`'s run made. @throws UserError that names what cannot be read. */
export async function openModel(found: FoundModel, stage: PlannedStage): Promise<OpenedModel> {
  const folder = checkpointOf(found, stage);
  await checkResult(dirname(folder), found.run);
  return openCheckpointFolder(folder);
}
