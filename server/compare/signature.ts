import { createHash } from "node:crypto";
import { canonicalJson, withoutPaths } from "../experiment/keys.ts";
import type { PlannedStage } from "../protocol/stage.ts";

/**
 * A hash of what each stage of a plan does, ignoring random seeds, by the stage's name: 16 hex digits of the SHA-256 of
 * its spec without `randomSeed` and its parents' signatures by role, as canonical JSON. Models with equal signatures
 * differ only in random seeds, wherever and whenever they were trained.
 */
export function signatures(plan: readonly PlannedStage[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, spec, parents } of plan) {
    const { randomSeed: _, ...deed } = { randomSeed: undefined, ...withoutPaths(spec) };
    const of = Object.fromEntries(Object.entries(parents).map(([role, parent]) => [role, found.get(parent)]));
    const text = canonicalJson({ spec: deed, parents: of });
    found.set(name, createHash("sha256").update(text).digest("hex").slice(0, 16));
  }
  return found;
}
