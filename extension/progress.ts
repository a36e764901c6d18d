import type { ListedStage } from "../server/protocol/editor.ts";

/** Cap for unfinished work, since saving and evaluation are not counted. */
const almost = 0.999;

/** Share of a stage's work that is done, 0..1. */
export function stageShare({ state, done, total }: ListedStage): number {
  if (state === "done") return 1;
  return done !== undefined && total ? Math.min(almost, Math.max(0, done / total)) : 0;
}

/**
 * Share of a run's work that is done, 0..1: of the tokens to train on, without those of stages that were done before it
 * began; of the number of stages where nothing is trained.
 */
export function runShare(stages: readonly ListedStage[]): number {
  const own = stages.filter(({ reused }) => !reused);
  if (own.length === 0) return stages.length > 0 ? 1 : 0;
  const trains = own.some(({ work }) => work > 0);
  const weight = ({ work }: ListedStage) => (trains ? work : 1);
  const all = own.reduce((sum, stage) => sum + weight(stage), 0);
  const share = own.reduce((sum, stage) => sum + weight(stage) * stageShare(stage), 0) / all;
  return own.every(({ state }) => state === "done") ? 1 : Math.min(almost, share);
}
