import { setTimeout } from "node:timers/promises";
import type { DeviceReference } from "../protocol/devices.ts";
import { UserError } from "../protocol/errors.ts";
import type { RunEvent, RunRecord } from "../protocol/run.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import { writeReport } from "../report/write.ts";
import { runPaths, stagePaths } from "../runs/layout.ts";
import { acquireLock, lockHolder } from "../runs/lock.ts";
import { isRunning, processSpace } from "../runs/process.ts";
import { readRun, updateRun } from "../runs/runs.ts";
import { readStage } from "../runs/stages.ts";
import { clearStop, stopRequested } from "../runs/stop.ts";
import type { StageAsked } from "../stages/process.ts";
import { type StageProcess, startStage } from "./local.ts";
import { memoryNeeded } from "./memory.ts";
import { type Share, type StageStanding, sameDevice, startable } from "./schedule.ts";
import { watchStage } from "./watch.ts";

export interface RunnerOptions {
  /** CPU cores to share out among the stages. */
  cores: number;
  /** Bytes of memory for all stages that are trained at once. */
  memory: number;
  /** What models run on, each with its name for people; why it is that, and all of it in a sentence. */
  devices: { all: readonly (DeviceReference & { name: string })[]; why: string; text: string };
  /** The run was just made: stages that are done are other runs' work. */
  fresh: boolean;
  onEvent(event: RunEvent): void;
  /** Asks the run to stop after checkpoints. A second abort of `kill` ends it at once. */
  stop: AbortSignal;
  kill: AbortSignal;
}

/** How often running stages are looked at, ms. */
const tick = 200;
/** How long a stage whose runner was killed may take to notice and stop, ms. */
const orphanMs = 120_000;

/**
 * Runs all stages of a run that are not done, each in its own process, in parallel where the plan allows. Returns the
 * run's new status. Whatever happens, what was done stays done and `run.json` says how it ended.
 */
export async function runStages(root: string, runId: string, options: RunnerOptions): Promise<RunRecord["status"]> {
  const { folder } = runPaths(root, runId);
  const lock = acquireLock(folder, `run ${runId}`);
  try {
    return await new Runner(root, runId, options).run();
  } finally {
    lock.release();
  }
}

interface Running {
  process: StageProcess;
  share: Share;
  poll: ReturnType<typeof watchStage>;
}

class Runner {
  readonly #root: string;
  readonly #id: string;
  readonly #options: RunnerOptions;
  readonly #standing = new Map<string, StageStanding>();
  readonly #running = new Map<string, Running>();
  /** Stages that a process of another run works on. */
  readonly #elsewhere = new Set<PlannedStage>();
  /** Bytes that stages are estimated to take, by name; of those that might start. */
  readonly #needed = new Map<string, number>();
  /** Names of stages that another run did. */
  #reused = new Set<string>();
  #error: string | undefined;
  /** Whether a stage's event has told `#error` already. */
  #told = false;
  #stopping = false;

  constructor(root: string, id: string, options: RunnerOptions) {
    this.#root = root;
    this.#id = id;
    this.#options = options;
  }

  async run(): Promise<RunRecord["status"]> {
    const paths = runPaths(this.#root, this.#id);
    const { record } = (await readRun(paths.folder))!;
    await clearStop(paths.stop);
    for (const { name, key } of record.stages) {
      const done = (await readStage(stagePaths(this.#root, key).folder))?.state === "done";
      this.#standing.set(name, done ? "done" : "waiting");
    }
    const isDone = (name: string) => this.#standing.get(name) === "done";
    this.#reused = new Set(this.#options.fresh ? record.stages.map(({ name }) => name).filter(isDone) : record.reused);
    const reused = [...this.#reused];
    await updateRun(paths.folder, { status: "running", reused, error: undefined, finished: undefined });
    this.#options.onEvent({
      event: "run",
      run: this.#id,
      folder: paths.folder,
      stages: record.stages.map(({ name }) => name),
    });
    this.#options.onEvent({ event: "message", text: this.#options.devices.text });
    for (const stage of record.stages) if (isDone(stage.name)) this.#say(stage, "done");
    this.#options.kill.addEventListener("abort", () => {
      for (const { process } of this.#running.values()) process.kill();
    });
    try {
      await this.#work(record.stages, paths.stop);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      await this.#drain();
      if (!(error instanceof UserError)) throw error;
    } finally {
      await this.#conclude(paths.folder, record);
    }
    return this.#status(record);
  }

  async #work(plan: PlannedStage[], stopFile: string): Promise<void> {
    for (;;) {
      if (!this.#stopping && (this.#options.stop.aborted || stopRequested(stopFile))) this.#stopAll();
      if (!this.#stopping) {
        const shares = new Map([...this.#running].map(([name, { share }]) => [name, share]));
        const { cores, devices, memory } = this.#options;
        await this.#estimate(plan);
        const needed = ({ name }: PlannedStage) => this.#needed.get(name) ?? 0;
        const resources = { cores, devices: devices.all, memory, needed };
        for (const { stage, ...share } of startable(plan, this.#standing, shares, resources))
          await this.#start(stage, share);
      }
      if (this.#running.size === 0 && (this.#stopping || this.#elsewhere.size === 0)) return;
      await Promise.race([setTimeout(tick), ...[...this.#running.values()].map(({ process }) => process.exit)]);
      for (const { poll } of this.#running.values()) {
        const event = await poll();
        if (event) this.#options.onEvent(event);
      }
      await this.#lookElsewhere();
    }
  }

  /** Notes what memory the stages take whose parents are done. */
  async #estimate(plan: PlannedStage[]): Promise<void> {
    for (const stage of plan) {
      const ready = Object.values(stage.parents).every((parent) => this.#standing.get(parent) === "done");
      if (!ready || this.#standing.get(stage.name) === "done" || this.#needed.has(stage.name)) continue;
      this.#needed.set(stage.name, await memoryNeeded(this.#root, plan, stage));
    }
  }

  /** Takes over what became of stages that another run's processes worked on: done, or free to be worked on here. */
  async #lookElsewhere(): Promise<void> {
    for (const stage of this.#elsewhere) {
      if (lockHolder(stagePaths(this.#root, stage.key).folder)) continue;
      this.#elsewhere.delete(stage);
      const done = (await readStage(stagePaths(this.#root, stage.key).folder))?.state === "done";
      this.#standing.set(stage.name, done ? "done" : "waiting");
      if (!done) continue;
      this.#reused.add(stage.name);
      this.#say(stage, "done");
    }
  }

  /** Leaves a stage to the process that holds its lock. */
  #leave(stage: PlannedStage): void {
    this.#standing.set(stage.name, "running");
    this.#elsewhere.add(stage);
    this.#options.onEvent({ event: "message", text: `another run works on stage "${stage.name}": waiting for it` });
  }

  async #start(stage: PlannedStage, share: Share): Promise<void> {
    const paths = stagePaths(this.#root, stage.key);
    await this.#free(stage);
    if (lockHolder(paths.folder)) return this.#leave(stage);
    await clearStop(paths.stop);
    const { all, why } = this.#options.devices;
    const chosen = all.find((device) => sameDevice(device, share.device));
    const { engine, device } = share.device;
    const asked: StageAsked = {
      threads: share.threads,
      device: { engine, device },
      name: chosen?.name ?? "the processor",
      why: chosen ? why : "the stage runs no model",
    };
    const process = startStage(this.#root, this.#id, stage.name, asked);
    this.#standing.set(stage.name, "running");
    this.#running.set(stage.name, { process, share, poll: watchStage(stage.name, paths) });
    this.#say(stage, "running");
    void process.exit.then(({ status, error }) => {
      this.#running.delete(stage.name);
      if (status === "busy") return this.#leave(stage);
      this.#standing.set(stage.name, status === "done" ? "done" : "waiting");
      this.#say(stage, status, error);
      if (status === "failed") this.#fail(`stage "${stage.name}": ${error}`, true);
      // One that was stopped by somebody else is not started again.
      if (status !== "done") this.#stopAll();
    });
  }

  /** Waits for a process of this stage whose runner was killed: it stops by itself. Another run's is left alone. */
  async #free(stage: PlannedStage): Promise<void> {
    const { folder } = stagePaths(this.#root, stage.key);
    const until = Date.now() + orphanMs;
    for (;;) {
      const holder = lockHolder(folder);
      const here = holder?.space === processSpace;
      const orphan = here && holder?.runner !== undefined && !isRunning(holder.runner);
      if (!holder || !orphan || Date.now() > until) return;
      await setTimeout(tick);
    }
  }

  #stopAll(): void {
    this.#stopping = true;
    for (const { process } of this.#running.values()) process.stop();
  }

  async #drain(): Promise<void> {
    this.#stopAll();
    await Promise.all([...this.#running.values()].map(({ process }) => process.exit));
  }

  #fail(error: string, told = false): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#told = told;
  }

  #say(stage: PlannedStage, status: string, error?: string): void {
    this.#options.onEvent({
      event: "stage",
      stage: stage.name,
      status,
      key: stage.key,
      reused: this.#reused.has(stage.name),
      ...(error ? { error } : {}),
    });
  }

  #status(record: RunRecord): RunRecord["status"] {
    if (this.#error !== undefined) return "failed";
    return record.stages.every(({ name }) => this.#standing.get(name) === "done") ? "done" : "stopped";
  }

  async #conclude(folder: string, record: RunRecord): Promise<void> {
    try {
      await updateRun(folder, {
        status: this.#status(record),
        reused: [...this.#reused],
        finished: new Date().toISOString(),
        ...(this.#error === undefined ? {} : { error: this.#error }),
      });
      await writeReport(this.#root, this.#id);
    } catch (error) {
      // On a full disk what went wrong first counts; the run is read as interrupted and can be resumed all the same.
      if (!(error instanceof UserError)) throw error;
      this.#fail(error.message);
    }
    if (this.#error !== undefined && !this.#told) this.#options.onEvent({ event: "message", text: this.#error });
  }
}
