import type { ListedRun } from "../../server/protocol/editor.ts";

/** Codicons of the states of a run. */
export const stateIcon: Record<ListedRun["state"], string> = {
  running: "sync~spin",
  stopped: "debug-pause",
  interrupted: "warning",
  failed: "error",
  done: "pass",
};

/** A moment as the person's language writes it: with a date unless it is today. */
export function when(iso: string, now = new Date()): string {
  const time = new Date(iso);
  const clock = time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return time.toDateString() === now.toDateString() ? clock : `${time.toLocaleDateString()} ${clock}`;
}
