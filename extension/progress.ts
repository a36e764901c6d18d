import type { ListedStage } from "../server/protocol/editor.ts";

/** Cap for unfinished work: saving and evaluation do not count as work. */
const maxUnfinished = 0.999;

/** Share of a stage's work that is done, 0..1. */
export function stageShare({ state, done, total }: ListedStage): number {
  if (state === "done") return 1;
  return done !== undefined && total ? Math.min(maxUnfinished, Math.max(0, done / total)) : 0;
}

/**
 * Share of a run's work that is done, 0..1: of its training tokens, or of its stages if it trains nothing. Stages
 * reused from earlier runs do not count.
 */
export function runShare(stages: readonly ListedStage[]): number {
  const own = stages.filter(({ reused }) => !reused);
  if (own.length === 0) return stages.length > 0 ? 1 : 0;
  const trains = own.some(({ work }) => work > 0);
  const weight = ({ work }: ListedStage) => (trains ? work : 1);
  const all = own.reduce((sum, stage) => sum + weight(stage), 0);
  const share = own.reduce((sum, stage) => sum + weight(stage) * stageShare(stage), 0) / all;
  return own.every(({ state }) => state === "done") ? 1 : Math.min(maxUnfinished, share);
}
