import type { ModelConfig } from "../protocol/model.ts";
import type { FrozenGroup } from "../protocol/stage.ts";
import { EMBEDDING, HEAD, parameterShapes } from "./parameters.ts";

/** Whether it is a router's balancing bias, of any layer: those are moved by a rule, never by a gradient. */
export const isRouterBias = (name: string): boolean => name.endsWith(".e_score_correction_bias");

/**
 * The group that leaves a parameter untrained when it is frozen. "other" never is: norms, and the feed-forward blocks of
 * dense layers.
 */
export function groupOf(name: string): FrozenGroup | "other" {
  if (name === EMBEDDING || name === HEAD) return "embeddings";
  if (name.includes(".self_attn.")) return "attention";
  if (name.includes(".block_sparse_moe.experts.")) return "experts";
  return name.includes(".block_sparse_moe.gate.") ? "router" : "other";
}

/** Whether freezing these groups freezes the parameter. */
export function isFrozen(name: string, freeze: readonly FrozenGroup[] = []): boolean {
  const group = groupOf(name);
  return group !== "other" && freeze.includes(group);
}

/**
 * Names and shapes of the parameters that follow their gradient: all but those of frozen groups and the routers'
 * balancing biases. A group that names nothing in the model changes nothing; norms are always among the trained.
 */
export const trainedShapes = (config: ModelConfig, freeze?: readonly FrozenGroup[]): Map<string, number[]> =>
  new Map([...parameterShapes(config)].filter(([name]) => !isRouterBias(name) && !isFrozen(name, freeze)));
