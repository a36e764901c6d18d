import { phaseSteps } from "../../experiment/phases.ts";
import type { Phase } from "../../protocol/stage.ts";

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
