import type { LostStage } from "../../server/protocol/editor.ts";
import { bytes, duration } from "../../server/protocol/format.ts";

/** Names listed at most. */
const most = 12;

/** "3 stages, 12.3 MB, 2h 03m of work: seed, expert:code and expert:math." */
export function lostText(stages: readonly LostStage[]): string {
  if (stages.length === 0) return "none.";
  const size = stages.reduce((sum, stage) => sum + stage.bytes, 0);
  const seconds = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const names = stages.slice(0, most).map(({ name }) => name);
  const more = stages.length > most ? ` and ${stages.length - most} more` : "";
  const count = stages.length === 1 ? "1 stage" : `${stages.length} stages`;
  return `${count}, ${bytes(size)}, ${duration(seconds)} of work: ${names.join(", ")}${more}.`;
}
