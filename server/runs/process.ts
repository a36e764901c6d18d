import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Telling one process from another, over process ids used again, reboots, containers and machines. */

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

/**
 * Where process ids mean the same: host, boot and container. Two machines of one name on a shared disk differ by boot,
 * two containers by their process namespace.
 */
export const processSpace: string = [
  hostname(),
  attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
  attempt(() => readlinkSync("/proc/self/ns/pid")),
]
  .filter((part) => part !== "")
  .join(" ");

/** State letter and start time (ticks since boot) of a process, from /proc; undefined where that does not exist. */
function processStat(pid: number): { state: string; start: string } | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // The second field is the command in brackets and may hold anything; the third is the state, the 22nd the start.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  const start = fields[19];
  return state && start ? { state, start } : undefined;
}

/** Start time of a process in this process space; undefined if the system does not report it. */
export const processStart = (pid: number): string | undefined => processStat(pid)?.start;

/**
 * True while a process of this process space runs. A process that has ended and is not yet collected does not run.
 *
 * @param start its start time, if known: another process with the same id is not it.
 */
export function isRunning(pid: number, start?: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const stat = processStat(pid);
  if (!stat) return true;
  if (stat.state === "Z" || stat.state === "X") return false;
  return start === undefined || stat.start === start;
}
