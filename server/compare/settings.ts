import { withoutPaths } from "../experiment/keys.ts";
import type { Difference } from "../protocol/comparison.ts";
import type { Phase, PlannedStage, StageKind } from "../protocol/stage.ts";
import { lineage } from "../runs/cost.ts";

type Value = Difference["value"];

/** One value that determines a model. */
export interface Setting {
  kind: StageKind;
  stage: string;
  /** Phases of the stage's training, and the one that it belongs to; absent outside of phases. */
  phases?: number | undefined;
  phase?: number | undefined;
  key: string;
  value: Value;
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Leaves of nested objects with the path to each; lists are leaves. */
function* leaves(value: object, path = ""): Generator<[key: string, value: Value]> {
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const key = path === "" ? name : `${path}.${name}`;
    if (isObject(item)) yield* leaves(item, key);
    else yield [key, item];
  }
}

/** Scales weights to sum 1, because only their proportions count. */
function proportions(mixture: Phase["mixture"]): Record<string, number> {
  const total = Object.values(mixture).reduce((sum, weight) => sum + weight, 0);
  const sorted = Object.entries(mixture).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([domain, weight]) => [domain, Number((weight / total).toFixed(6))]));
}

function* phaseSettings({ tokens, mixture, training }: Phase): Generator<[key: string, value: Value]> {
  yield ["tokens", tokens];
  // With one domain there is nothing to mix.
  if (Object.keys(mixture).length > 1) yield ["mixture", proportions(mixture)];
  yield* leaves(training);
}

/** Keys that are not settings: names, and values that must be equal for runs to be comparable. */
const LEFT_OUT = new Set(["kind", "randomSeed", "domains", "heldOut", "phases"]);

/**
 * Everything that determines a stage's model, over its lineage, except random seeds and file locations. For ensembles,
 * also how their members were evaluated.
 */
export function settings(name: string, plan: readonly PlannedStage[]): Setting[] {
  const found: Setting[] = [];
  for (const { name: stage, spec } of lineage(name, plan)) {
    const { kind } = spec;
    // All members are evaluated in the same way.
    const as = kind === "evaluate" ? "evaluate" : stage;
    if (kind === "evaluate" && found.some((setting) => setting.stage === as)) continue;
    for (const [key, value] of leaves(withoutPaths(spec)))
      if (!LEFT_OUT.has(key.split(".", 1)[0]!)) found.push({ kind, stage: as, key, value });
    if (!("phases" in spec)) continue;
    const phases = spec.phases.length;
    for (const [phase, values] of spec.phases.entries())
      for (const [key, value] of phaseSettings(values)) found.push({ kind, stage, phases, phase, key, value });
  }
  return found;
}
