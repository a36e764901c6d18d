import { readFileSync } from "node:fs";
import { cpus, freemem, hostname, totalmem } from "node:os";
import type { ListedRun, ListedStage, Load, WorkingStage } from "../protocol/editor.ts";

/** The load of this machine, and the share of each stage's process. */

/** Ticks per second in /proc: 100 on every Linux that Node supports. */
const ticksPerSecond = 100;
const pageBytes = 4096;

/** CPU time that a process has used so far, seconds, and its current memory, bytes. */
export interface ProcessUse {
  seconds: number;
  memory: number;
}

export interface Machine {
  /** Time of all CPU cores since boot, ms: idle and total. */
  times(): { idle: number; all: number };
  /** Undefined if the system does not report it or the process has ended. */
  use(pid: number): ProcessUse | undefined;
  /** A monotonic clock, ms. */
  now(): number;
}

/** Measures load between consecutive samples. */
export class LoadMeter {
  readonly #machine: Machine;
  #times: { idle: number; all: number } | undefined;
  #at = 0;
  #used = new Map<number, number>();

  constructor(machine: Machine = thisMachine) {
    this.#machine = machine;
  }

  measure(running: readonly { run: ListedRun; stages: readonly ListedStage[] }[]): Load {
    const [times, now] = [this.#machine.times(), this.#machine.now()];
    const seconds = (now - this.#at) / 1000;
    const before = this.#times;
    const used = new Map<number, number>();
    const stages: WorkingStage[] = [];
    for (const { run, stages: all } of running) {
      for (const stage of all) {
        if (stage.state !== "running" || stage.pid === undefined) continue;
        const { name, pid, host, engine, device, threads } = stage;
        const use = host === undefined ? this.#machine.use(pid) : undefined;
        if (use) used.set(pid, use.seconds);
        const earlier = this.#used.get(pid);
        stages.push({
          root: run.root,
          run: run.run,
          stage: name,
          experiment: run.name,
          pid,
          ...(host === undefined ? {} : { host }),
          ...(engine === undefined ? {} : { engine }),
          ...(device === undefined ? {} : { device }),
          ...(threads === undefined ? {} : { threads }),
          ...(use ? { memory: use.memory } : {}),
          ...(use && earlier !== undefined && seconds > 0
            ? { cores: Math.max(0, (use.seconds - earlier) / seconds) }
            : {}),
        });
      }
    }
    [this.#times, this.#at, this.#used] = [times, now, used];
    const passed = before ? times.all - before.all : 0;
    return {
      ...(before && passed > 0 ? { busy: 1 - (times.idle - before.idle) / passed } : {}),
      memory: totalmem(),
      freeMemory: availableMemory(),
      stages: unique(stages),
    };
  }
}

/** Removes duplicates: two runs may share a stage, which has one process. */
function unique(stages: readonly WorkingStage[]): WorkingStage[] {
  return [...new Map(stages.map((stage) => [`${stage.host ?? hostname()} ${stage.pid}`, stage])).values()];
}

const thisMachine: Machine = {
  times() {
    const sum = { idle: 0, all: 0 };
    for (const { times } of cpus()) {
      sum.idle += times.idle;
      sum.all += times.user + times.nice + times.sys + times.idle + times.irq;
    }
    return sum;
  },
  use(pid) {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, "utf8");
      // The second field is the command in brackets and may contain anything. Fields 14 and 15: ticks; 24: pages.
      const fields = text
        .slice(text.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number);
      const [user, system, pages] = [fields[11]!, fields[12]!, fields[21]!];
      return { seconds: (user + system) / ticksPerSecond, memory: pages * pageBytes };
    } catch {
      return undefined;
    }
  },
  now: () => performance.now(),
};

/** Memory available to a program; on Linux, reclaimable memory counts as free. */
function availableMemory(): number {
  try {
    const found = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"));
    if (found) return Number(found[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return freemem();
}
