import type { Store } from "../../engine/store.ts";
import { phaseSteps } from "../../experiment/phases.ts";
import { parameterShapes } from "../../model/parameters.ts";
import { momentShapes } from "../../model/trainStep.ts";
import { sizeOf } from "../../ops/program.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { Freeze, Phase } from "../../protocol/stage.ts";

/** A phase's place in the stage. */
export interface Stretch {
  phase: Phase;
  /** Steps of the phases before it. */
  before: number;
  steps: number;
  /** Steps before it that its moments have seen: those of the phases whose moments it keeps. */
  momentSteps: number;
}

export function stretchesOf(phases: Phase[], context: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (const phase of phases) {
    const last = stretches.at(-1);
    const steps = phaseSteps(phase.tokens, phase.training.batch, context);
    const momentSteps = phase.keepMoments && last ? last.momentSteps + last.steps : 0;
    stretches.push({ phase, before: last ? last.before + last.steps : 0, steps, momentSteps });
  }
  return stretches;
}

/**
 * Names of the store's tensors that a step reads and a checkpoint of unfinished training must hold: all parameters,
 * frozen ones too, and the moments of those that are trained.
 */
export const stateNames = (config: ModelConfig, freeze?: Freeze): string[] => [
  ...parameterShapes(config).keys(),
  ...momentShapes(config, freeze).keys(),
];

interface MomentOptions {
  freeze?: Freeze | undefined;
  /** Those that are there already stay. */
  keep?: boolean | undefined;
}

/** Adds AdamW's moments of the trained parameters, zero, to a store of parameters; removes those of a phase before. */
export function beginMoments(store: Store, config: ModelConfig, { freeze, keep = false }: MomentOptions = {}): void {
  const needed = momentShapes(config, freeze);
  const kept = new Set(keep ? [...needed.keys()].filter((name) => store.has(name)) : []);
  for (const name of momentShapes(config).keys()) if (!kept.has(name)) store.delete(name);
  for (const [name, shape] of needed) if (!kept.has(name)) store.set(name, shape, new Float32Array(sizeOf(shape)));
}
