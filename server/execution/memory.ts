import { readConfig } from "../checkpoint/readConfig.ts";
import { trainingMemory } from "../model/size.ts";
import type { Plan, PlannedStage } from "../protocol/stage.ts";
import { stagePaths } from "../runs/layout.ts";

/**
 * Bytes that training a stage on from its parent's model is estimated to take; the parent must be done. 0 for stages that
 * have no such model: they run alone or take little.
 */
export async function memoryNeeded(root: string, plan: Plan, { spec, parents }: PlannedStage): Promise<number> {
  const parent = plan.find(({ name }) => name === parents.model);
  if (!parent || !("phases" in spec)) return 0;
  const config = await readConfig(stagePaths(root, parent.key).checkpoint);
  return Math.max(
    ...spec.phases.map(({ training: { microBatch, ...computing } }) => trainingMemory(config, microBatch, computing)),
  );
}
