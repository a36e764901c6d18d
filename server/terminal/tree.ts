import type { PlannedStage } from "../protocol/stage.ts";

/** A stage of a plan in a tree, and the lines that lead to it. */
export interface TreeLine {
  stage: PlannedStage;
  /** "├─ ", "│  └─ " and the like; empty at the root. */
  prefix: string;
}

/** The stages above a stage, nearest first. */
function* ancestors(name: string, above: ReadonlyMap<string, string>): Generator<string> {
  for (let at: string | undefined = name; at !== undefined; at = above.get(at)) yield at;
}

/**
 * A plan as a tree. A stage with one parent is below it; a stage with several (a mix of experts) is below their nearest
 * common ancestor. The data stage, a parent of nearly all stages, counts only if there is no other parent.
 */
export function planTree(plan: readonly PlannedStage[]): TreeLine[] {
  const kinds = new Map(plan.map((stage) => [stage.name, stage.spec.kind]));
  const above = new Map<string, string>();
  for (const stage of plan) {
    const all = [...new Set(Object.values(stage.parents))].filter((name) => kinds.has(name));
    const models = all.filter((name) => kinds.get(name) !== "data");
    const [first, ...rest] = models.length > 0 ? models : all;
    if (first === undefined) continue;
    const shared = rest.map((name) => new Set(ancestors(name, above)));
    const from = rest.length > 0 ? above.get(first) : first;
    for (const name of from === undefined ? [] : ancestors(from, above)) {
      if (shared.every((names) => names.has(name))) {
        above.set(stage.name, name);
        break;
      }
    }
  }
  const childrenOf = (name: string | undefined) => plan.filter((stage) => above.get(stage.name) === name);
  const lines: TreeLine[] = [];
  const walk = (stage: PlannedStage, prefix: string, indent: string) => {
    lines.push({ stage, prefix });
    const children = childrenOf(stage.name);
    children.forEach((child, index) => {
      const last = index === children.length - 1;
      walk(child, `${indent}${last ? "└─ " : "├─ "}`, `${indent}${last ? "   " : "│  "}`);
    });
  };
  for (const root of childrenOf(undefined)) walk(root, "", "");
  return lines;
}
