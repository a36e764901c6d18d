import type { PlannedStage, StageRecord } from "../protocol/stage.ts";
import { stageKinds } from "../protocol/stageKinds.ts";

/** What a model is and what it took to make it, its ancestors included. Zero where nothing was recorded. */
export interface Cost {
  parameters?: number;
  activeParameters?: number;
  /** Tokens trained on. */
  tokens: number;
  /** Floating-point operations of training. */
  flops: number;
  /** Tokens and operations without those of the seed. */
  beyondSeed: { tokens: number; flops: number };
  /** Seconds of work, added over stages even where they ran at the same time. */
  seconds: number;
  /**
   * Stages of the lineage without a result, so that the sums are too small: their folders were removed or are at work
   * again.
   */
  missing: string[];
}

/**
 * A stage and all the stages it comes from, each once, in the order of the plan. Empty for a name that is not in the
 * plan.
 */
export function lineage(name: string, plan: readonly PlannedStage[]): PlannedStage[] {
  const byName = new Map(plan.map((stage) => [stage.name, stage]));
  const found = new Set<PlannedStage>();
  const visit = (at: string) => {
    const stage = byName.get(at);
    if (stage === undefined || found.has(stage)) return;
    found.add(stage);
    for (const parent of Object.values(stage.parents)) visit(parent);
  };
  visit(name);
  return plan.filter((stage) => found.has(stage));
}

/**
 * What the stage `name` and all it comes from took. Reading data and evaluating are not counted.
 * @param records of the plan's stages, by name.
 */
export function costOfStage(
  name: string,
  plan: readonly PlannedStage[],
  records: ReadonlyMap<string, StageRecord>,
): Cost {
  const own = records.get(name)?.result;
  const cost: Cost = { tokens: 0, flops: 0, beyondSeed: { tokens: 0, flops: 0 }, seconds: 0, missing: [] };
  if (own?.parameters !== undefined) cost.parameters = own.parameters;
  if (own?.activeParameters !== undefined) cost.activeParameters = own.activeParameters;
  Object.assign(cost, ensembleParameters(name, plan, records));
  for (const { name: ancestor, spec } of lineage(name, plan)) {
    const { makes, trains } = stageKinds[spec.kind];
    if (makes === "nothing") continue;
    const record = records.get(ancestor);
    if (record?.result === undefined) cost.missing.push(ancestor);
    if (record === undefined) continue;
    cost.seconds += record.seconds;
    if (!trains) continue;
    const { tokens = 0, flops = 0 } = record.result ?? {};
    cost.tokens += tokens;
    cost.flops += flops;
    if (spec.kind === "seed") continue;
    cost.beyondSeed.tokens += tokens;
    cost.beyondSeed.flops += flops;
  }
  return cost;
}

/**
 * Parameters of a Branch-Train-Merge ensemble: of all its experts; active are the k chosen by tf-idf, or all, since the
 * posterior needs every expert's probability of each token. Nothing for other stages.
 */
function ensembleParameters(
  name: string,
  plan: readonly PlannedStage[],
  records: ReadonlyMap<string, StageRecord>,
): Pick<Cost, "parameters" | "activeParameters"> {
  const stage = plan.find((candidate) => candidate.name === name);
  if (stage?.spec.kind !== "btm") return {};
  const sizes = stage.spec.experts.map((expert) => {
    const evaluation = plan.find((candidate) => candidate.name === stage.parents[`expert:${expert}`]);
    return records.get(evaluation?.parents.model ?? "")?.result?.parameters;
  });
  const known = sizes.filter((size) => size !== undefined);
  if (known.length < sizes.length) return {};
  const parameters = known.reduce((sum, size) => sum + size, 0);
  const share = stage.spec.weights === "tf-idf" ? stage.spec.k / stage.spec.experts.length : 1;
  return { parameters, activeParameters: parameters * share };
}
