import type { ListedStage } from "../../server/protocol/editor.ts";
import { factsOf } from "../../server/protocol/stageKinds.ts";

/** Whether a stage has produced a model; data, evaluation and ensemble stages produce none. */
export const hasModel = ({ kind, checkpoints }: ListedStage): boolean =>
  factsOf(kind)?.makes === "model" && checkpoints.some(({ holds }) => holds === "model");

/** Codicons of the states of runs and stages. */
export const stateIcon: Record<ListedStage["state"], string> = {
  waiting: "circle-large-outline",
  running: "sync~spin",
  stopped: "debug-pause",
  interrupted: "warning",
  failed: "error",
  done: "pass",
};

/** Colours of states that need attention; they replace the colour of the stage. */
export const stateColor: Partial<Record<ListedStage["state"], string>> = {
  failed: "testing.iconFailed",
  interrupted: "problemsWarningIcon.foreground",
};

/** Created once: creating a formatter costs more than a thousand uses. */
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

/** A time in the user's locale, with the date unless it is today. */
export function when(iso: string, now = new Date()): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return (time.toDateString() === now.toDateString() ? clock : dayAndClock).format(time);
}
