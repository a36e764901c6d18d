import { chartColors, stageColors } from "../protocol/colors.ts";
import type { StageReference } from "../protocol/editor/basics.ts";
import { UserError } from "../protocol/errors.ts";
import type { RoutedExpert } from "../protocol/inspect.ts";
import type { RunRecord } from "../protocol/run.ts";
import type { EvaluateSpec, MixSpec, PlannedStage } from "../protocol/stage.ts";
import { evaluationOf, modelStages } from "../protocol/stageKinds.ts";
import { stagePaths } from "./layout.ts";
import { requireRun } from "./runs.ts";

/** A model of a run, and the stages it is one of. */
export interface FoundModel {
  root: string;
  run: string;
  stage: PlannedStage;
  stages: readonly PlannedStage[];
}

/** @throws UserError when there is no such model. */
export async function findModel({ root, run: id, stage: name }: StageReference): Promise<FoundModel> {
  const { record } = await requireRun(root, id);
  return { root, run: id, stage: modelOf(record, name), stages: record.stages };
}

/** The stage of a run that made a model, by its name. @throws UserError when there is no such model. */
export function modelOf({ id, stages }: RunRecord, name: string): PlannedStage {
  const stage = modelStages(stages).find((planned) => planned.name === name);
  if (stage) return stage;
  throw new UserError(`run ${id} has no model "${name}"`);
}

/** Folder of a model's checkpoint. */
export const checkpointOf = ({ root }: FoundModel, { key }: PlannedStage): string => stagePaths(root, key).checkpoint;

const named = ({ stages }: Pick<FoundModel, "stages">, name: string | undefined): PlannedStage | undefined =>
  stages.find((stage) => stage.name === name);

/** The mix stage that a model is or was trained from. */
export function mixOf(found: Pick<FoundModel, "stage" | "stages">): (PlannedStage & { spec: MixSpec }) | undefined {
  let stage: PlannedStage | undefined = found.stage;
  while (stage && stage.spec.kind !== "mix") stage = named(found, stage.parents.model);
  return stage as (PlannedStage & { spec: MixSpec }) | undefined;
}

/** The stage whose model all experts began as. */
export const seedOf = ({ stages }: FoundModel): PlannedStage | undefined =>
  stages.find(({ spec }) => spec.kind === "seed");

/**
 * How a model is evaluated in its run, by the stage that does it or else as the others are, and the folder of the text.
 *
 * @throws UserError in a run that evaluates nothing.
 */
export function heldOutOf(found: FoundModel): { spec: EvaluateSpec; data: string } {
  const evaluations = found.stages.filter(({ spec }) => spec.kind === "evaluate");
  const stage = evaluationOf(found.stage.name, evaluations) ?? evaluations[0];
  const data = named(found, stage?.parents.data);
  if (!stage || !data)
    throw new UserError(
      `run ${found.run} evaluates no model, so it does not say which held-out text to use: run the experiment without --stage`,
    );
  return { spec: stage.spec as EvaluateSpec, data: stagePaths(found.root, data.key).folder };
}

/**
 * A model's experts with the colours of the stages they come from. If these are all the same, as for copies of one
 * model or blends of all, the experts cycle through the chart colours.
 */
export function colouredExperts(found: FoundModel, experts: readonly string[]): RoutedExpert[] {
  const ofStage = stageColors(found.stages.map(({ name }) => name));
  const mix = mixOf(found);
  const parts = mix?.spec.split ?? 1;
  const origin = (index: number) => (mix?.spec.blend ? undefined : mix?.spec.experts[Math.floor(index / parts)]);
  const own = experts.map((_, index) => ofStage.get(mix?.parents[`expert:${origin(index)}`] ?? ""));
  const alike = new Set(own).size === 1;
  return experts.map((name, index) => {
    const color = alike ? chartColors[2 + (index % 6)] : own[index];
    return { name, ...(color ? { color } : {}) };
  });
}
