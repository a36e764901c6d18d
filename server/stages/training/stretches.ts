import { phaseSteps } from "../../experiment/phases.ts";
import type { Phase } from "../../protocol/stage.ts";

/** A phase's place in the stage. */
export interface Stretch {
  phase: Phase;
  /** Steps of the phases before it. */
  before: number;
  steps: number;
}

export function stretchesOf(phases: Phase[], context: number): Stretch[] {
  let before = 0;
  return phases.map((phase) => {
    const steps = phaseSteps(phase.tokens, phase.training.batch, context);
    before += steps;
    return { phase, before: before - steps, steps };
  });
}
