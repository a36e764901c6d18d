import type { Store } from "../../engine/store.ts";
import { parameterShapes } from "../../model/parameters.ts";
import { momentShapes } from "../../model/trainStep.ts";
import { sizeOf } from "../../ops/program.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { FrozenGroup } from "../../protocol/stage.ts";

/**
 * Names of the store's tensors that a step reads and a checkpoint of unfinished training must hold: all parameters,
 * frozen ones too, and the moments of those that are trained.
 */
export const stateNames = (config: ModelConfig, freeze?: readonly FrozenGroup[]): string[] => [
  ...parameterShapes(config).keys(),
  ...momentShapes(config, freeze).keys(),
];

/** Adds AdamW's moments of the trained parameters, zero, to a store of parameters; removes those of a phase before. */
export function freshMoments(store: Store, config: ModelConfig, freeze?: readonly FrozenGroup[]): void {
  for (const name of momentShapes(config).keys()) store.delete(name);
  for (const [name, shape] of momentShapes(config, freeze)) store.set(name, shape, new Float32Array(sizeOf(shape)));
}
