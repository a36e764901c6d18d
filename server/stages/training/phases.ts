import type { Store } from "../../engine/store.ts";
import { phaseSteps } from "../../experiment/phases.ts";
import { parameterShapes } from "../../model/parameters.ts";
import { momentShapes } from "../../model/trainStep.ts";
import { sizeOf } from "../../ops/program.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { Freeze, Phase } from "../../protocol/stage.ts";

/** A phase and its position in the stage. */
export interface ScheduledPhase {
  phase: Phase;
  /** Number of steps in earlier phases. */
  before: number;
  steps: number;
  /** Number of earlier steps that its moments include, from the phases whose moments it keeps. */
  momentSteps: number;
}

export function scheduledPhases(phases: Phase[], context: number): ScheduledPhase[] {
  const schedule: ScheduledPhase[] = [];
  for (const phase of phases) {
    const last = schedule.at(-1);
    const steps = phaseSteps(phase.tokens, phase.training.batch, context);
    const momentSteps = phase.keepMoments && last ? last.momentSteps + last.steps : 0;
    schedule.push({ phase, before: last ? last.before + last.steps : 0, steps, momentSteps });
  }
  return schedule;
}

/**
 * Names of the store's tensors that a step reads and that the state of unfinished training must contain: all
 * parameters, including frozen ones, and the moments of the trained ones.
 */
export const stateNames = (config: ModelConfig, freeze?: Freeze): string[] => [
  ...parameterShapes(config).keys(),
  ...momentShapes(config, freeze).keys(),
];

interface MomentOptions {
  freeze?: Freeze | undefined;
  /** Keeps existing moments instead of resetting them. */
  keep?: boolean | undefined;
}

/** Adds zero moments for the trained parameters to the store and removes those of the previous phase. */
export function beginMoments(store: Store, config: ModelConfig, { freeze, keep = false }: MomentOptions = {}): void {
  const needed = momentShapes(config, freeze);
  const kept = new Set(keep ? [...needed.keys()].filter((name) => store.has(name)) : []);
  for (const name of momentShapes(config).keys()) if (!kept.has(name)) store.delete(name);
  for (const [name, shape] of needed) if (!kept.has(name)) store.set(name, shape, new Float32Array(sizeOf(shape)));
}
