import type { ListedCheckpoint, ListedRun, ListedStage } from "../../server/protocol/editor.ts";
import { bytes, count, duration, loss, percentDone, rate } from "../../server/protocol/format.ts";
import { secondsTaken } from "../../server/protocol/run.ts";
import { runShare, stageShare } from "../progress.ts";

/** Descriptions of rows. Numbers have units; states are words, not only colours. */

const joined = (parts: readonly (string | false | undefined)[]): string => parts.filter(Boolean).join(", ");

/** "42 %, step 120 of 300, loss 2.314 nats, 3.4k tokens/s, 1m 05s left" */
export function stageText(stage: ListedStage): string {
  const { state, done, total, label, tokensPerSecond, seconds, secondsLeft } = stage;
  const lossText = stage.loss === undefined ? heldOutText(stage) : `loss ${loss(stage.loss)} nats`;
  const speed = tokensPerSecond === undefined ? undefined : rate(tokensPerSecond);
  const step =
    done === undefined || total === undefined ? undefined : (label ?? `step ${count(done)} of ${count(total)}`);
  if (state === "waiting") return "waiting";
  if (state === "done")
    return joined([stage.reused && "reused", lossText, speed, seconds === undefined ? undefined : duration(seconds)]);
  const left = secondsLeft === undefined ? undefined : `${duration(secondsLeft)} left`;
  const share = total ? percentDone(stageShare(stage)) : undefined;
  return joined([state === "running" && share ? undefined : state, share, step, lossText, speed, left]);
}

/** Held-out loss, mean over domains. The number comes first so that a narrow side bar shows it. */
function heldOutText({ heldOut }: ListedStage): string | undefined {
  const losses = Object.values(heldOut ?? {});
  if (losses.length === 0) return undefined;
  return `${loss(losses.reduce((sum, value) => sum + value, 0) / losses.length)} nats held-out`;
}

/** "running, 42 %, expert:code and 2 more". @param stages known so far. */
export function runText(run: ListedRun, stages: readonly ListedStage[] | undefined): string {
  if (run.state !== "running" || !stages) return joined([run.state, timeTaken(run)]);
  const [first, ...more] = stages.filter(({ state }) => state === "running");
  const names = first && (more.length > 0 ? `${first.name} and ${more.length} more` : first.name);
  return joined([run.state, percentDone(runShare(stages)), names]);
}

function timeTaken(run: ListedRun): string | undefined {
  const seconds = secondsTaken(run);
  return seconds === undefined ? undefined : duration(seconds);
}

export const checkpointText = ({ bytes: size, step }: ListedCheckpoint): string =>
  joined([step !== undefined && `step ${count(step)}`, bytes(size)]);

export const countText = (number: number, what: string): string => (number === 1 ? `1 ${what}` : `${number} ${what}s`);
