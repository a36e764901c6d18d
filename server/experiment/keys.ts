import { createHash } from "node:crypto";
import type { StageSpec } from "../protocol/stage.ts";

/** Incremented when the meaning of a spec changes, so that results of older versions are not reused. */
const formatVersion = 2;

/** JSON with the keys of every object sorted and undefined values left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}

/** A spec without paths: files are identified by the hashes of their contents. */
export function withoutPaths(spec: StageSpec): object {
  if (spec.kind === "seed" && spec.from) return { ...spec, from: { sha256: spec.from.sha256 } };
  if (spec.kind !== "data") return spec;
  const { tokenizer } = spec;
  return {
    ...spec,
    tokenizer: tokenizer.type === "file" ? { type: tokenizer.type, sha256: tokenizer.sha256 } : tokenizer,
    domains: Object.fromEntries(
      Object.entries(spec.domains).map(([name, { files: _, ...domain }]) => [name, domain] as const),
    ),
  };
}

/**
 * Key of a stage: the first 16 hex digits of the SHA-256 of its spec and its parents' keys by role, as canonical JSON.
 * It depends on the contents of files, but not on their paths, nor on the name of the stage, the file or the run.
 */
export function stageKey(spec: StageSpec, parents: Record<string, string>): string {
  const text = canonicalJson({ formatVersion, spec: withoutPaths(spec), parents });
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/**
 * A stage's random seed: the first 31 bits of the SHA-256 of "randomSeed:stage name". Stages thus differ from each
 * other, and adding or removing one does not affect others.
 */
export function stageRandomSeed(randomSeed: number, stage: string): number {
  const digest = createHash("sha256").update(`${randomSeed}:${stage}`).digest();
  return digest.readUInt32BE(0) >>> 1;
}
