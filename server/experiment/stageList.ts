import type { Plan, PlannedStage, StageSpec } from "../protocol/stage.ts";
import { stageKey } from "./keys.ts";

/** Stages in order, each with its key. */
export class StageList {
  readonly stages: Plan = [];
  readonly #keys = new Map<string, string>();

  /** Adds a stage whose parents are already there; gives its name. */
  add(name: string, spec: StageSpec, parents: Record<string, string> = {}): string {
    const keys = Object.fromEntries(Object.entries(parents).map(([role, parent]) => [role, this.#keys.get(parent)!]));
    const stage: PlannedStage = { name, key: stageKey(spec, keys), spec, parents };
    this.stages.push(stage);
    this.#keys.set(name, stage.key);
    return name;
  }
}

/** Name of the stage that gives the expert of this name: a domain's expert, or the seed. */
export const expertStage = (expert: string): string => (expert === "seed" ? "seed" : `expert:${expert}`);

/** Parents in the roles "expert:<name>". */
export const expertRoles = (experts: readonly string[], stage: (expert: string) => string): Record<string, string> =>
  Object.fromEntries(experts.map((expert) => [`expert:${expert}`, stage(expert)]));
