import { setTimeout } from "node:timers/promises";
import { readConfig } from "../checkpoint/readConfig.ts";
import { removeLeftovers } from "../disk/atomic.ts";
import { fenceAround } from "../disk/fence.ts";
import { trainingMemory } from "../model/size.ts";
import { UserError } from "../protocol/errors.ts";
import type { RunEvent, RunRecord } from "../protocol/run.ts";
import type { Plan, PlannedStage } from "../protocol/stage.ts";
import { writeReport } from "../report/write.ts";
import { runPaths, stagePaths } from "../runs/layout.ts";
import { acquireLock } from "../runs/lock.ts";
import { requireRun, updateRun } from "../runs/runs.ts";
import { checkResult } from "../runs/stageFiles.ts";
import { readStage } from "../runs/stages.ts";
import { clearStop, stopRequested } from "../runs/stop.ts";
import type { Executor, Share, StageJob } from "./executor.ts";
import { type StageStanding, stagesToStart } from "./schedule.ts";
import { watchStage } from "./watchStage.ts";

export interface RunnerOptions {
  /** What runs the stages. */
  executor: Executor;
  /** The run is new: stages that are already done were done by other runs. */
  fresh: boolean;
  /** Takes the run over from a runner on another machine at once; see `acquireLock`. */
  takeOver?: boolean;
  onEvent(event: RunEvent): void;
  /** Asks the run to stop after checkpoints. A second abort of `kill` ends it at once. */
  stop: AbortSignal;
  kill: AbortSignal;
}

/** How often running stages are checked, ms. */
const tick = 200;
/** How long to wait for a stage that will stop by itself before starting others, ms. */
const endingMs = 120_000;

/**
 * Runs all unfinished stages of a run, each in its own process, in parallel if plan and place allow. Returns the run's
 * new status. Whatever happens, finished stages stay finished and `run.json` records how the run ended.
 */
export async function runStages(root: string, runId: string, options: RunnerOptions): Promise<RunRecord["status"]> {
  const { folder } = runPaths(root, runId);
  const lock = acquireLock(folder, `run ${runId}`, { takeOver: options.takeOver === true });
  try {
    await removeLeftovers(folder);
    return await new Runner(root, runId, options).run();
  } finally {
    lock.release();
  }
}

interface Running {
  job: StageJob;
  share: Share;
  poll: ReturnType<typeof watchStage>;
}

class Runner {
  readonly #root: string;
  readonly #id: string;
  readonly #options: RunnerOptions;
  readonly #standing = new Map<string, StageStanding>();
  readonly #running = new Map<string, Running>();
  /** Stages worked on by a process that this runner did not start. */
  readonly #elsewhere = new Set<PlannedStage>();
  /** Estimated memory, bytes, by name, of stages that could start. */
  readonly #needed = new Map<string, number>();
  /** Names of stages that another run completed. */
  #reused = new Set<string>();
  readonly #started = performance.now();
  #error: string | undefined;
  /** Whether a stage's event has reported `#error` already. */
  #reported = false;
  #stopping = false;

  constructor(root: string, id: string, options: RunnerOptions) {
    this.#root = root;
    this.#id = id;
    this.#options = options;
  }

  async run(): Promise<RunRecord["status"]> {
    const paths = runPaths(this.#root, this.#id);
    const { record } = await requireRun(this.#root, this.#id);
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
    this.#options.onEvent({ event: "message", text: this.#options.executor.place.text });
    for (const stage of record.stages) if (isDone(stage.name)) this.#report(stage, "done");
    this.#options.kill.addEventListener("abort", () => {
      for (const { job } of this.#running.values()) job.kill();
    });
    try {
      await this.#work(record.stages);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      await this.#drain();
      if (!(error instanceof UserError)) throw error;
    } finally {
      await this.#conclude(paths.folder, record);
    }
    return this.#status(record);
  }

  async #work(plan: PlannedStage[]): Promise<void> {
    const fence = fenceAround(runPaths(this.#root, this.#id).folder);
    for (;;) {
      fence.pass();
      if (!this.#stopping && this.#stopAsked()) this.#stopAll();
      if (!this.#stopping) {
        const shares = new Map([...this.#running].map(([name, { share }]) => [name, share]));
        await this.#estimate(plan);
        const needed = ({ name }: PlannedStage) => this.#needed.get(name) ?? 0;
        const resources = { ...this.#options.executor.place, needed };
        for (const { stage, ...share } of stagesToStart(plan, this.#standing, shares, resources))
          if (!this.#stopping && !this.#stopAsked()) await this.#start(stage, share);
      }
      if (this.#running.size === 0 && (this.#stopping || this.#elsewhere.size === 0)) return;
      await Promise.race([setTimeout(tick), ...[...this.#running.values()].map(({ job }) => job.exit)]);
      for (const { poll } of this.#running.values()) {
        const event = await poll();
        if (event) this.#options.onEvent(event);
      }
      await this.#checkElsewhere();
    }
  }

  /** Records the estimated memory of stages whose parents are done. */
  async #estimate(plan: PlannedStage[]): Promise<void> {
    for (const stage of plan) {
      const ready = Object.values(stage.parents).every((parent) => this.#standing.get(parent) === "done");
      if (!ready || this.#standing.get(stage.name) === "done" || this.#needed.has(stage.name)) continue;
      this.#needed.set(stage.name, await memoryNeeded(this.#root, plan, stage));
    }
  }

  #stopAsked(): boolean {
    return this.#options.stop.aborted || stopRequested(runPaths(this.#root, this.#id).stop);
  }

  /** Checks stages that other processes worked on: they may be done, or free to be started here. */
  async #checkElsewhere(): Promise<void> {
    for (const stage of this.#elsewhere) {
      if ((await this.#options.executor.occupancy(this.#root, stage)) !== "free") continue;
      this.#elsewhere.delete(stage);
      const done = (await readStage(stagePaths(this.#root, stage.key).folder))?.state === "done";
      this.#standing.set(stage.name, done ? "done" : "waiting");
      if (!done) continue;
      this.#reused.add(stage.name);
      this.#report(stage, "done");
    }
  }

  /** Leaves a stage to the process that works on it. */
  #leave(stage: PlannedStage): void {
    this.#standing.set(stage.name, "running");
    this.#elsewhere.add(stage);
    this.#options.onEvent({
      event: "message",
      text: `another process is running stage "${stage.name}": waiting for it`,
    });
  }

  async #start(stage: PlannedStage, share: Share): Promise<void> {
    const { executor, kill } = this.#options;
    const until = performance.now() + endingMs;
    let occupancy = await executor.occupancy(this.#root, stage);
    for (
      ;
      occupancy === "ending" && performance.now() < until;
      occupancy = await executor.occupancy(this.#root, stage)
    ) {
      await setTimeout(tick);
      if (this.#stopAsked()) return;
    }
    if (occupancy !== "free") return this.#leave(stage);
    const paths = stagePaths(this.#root, stage.key);
    fenceAround(runPaths(this.#root, this.#id).folder).prove();
    await clearStop(paths.stop);
    const job = await executor.start({ root: this.#root, run: this.#id, stage, share });
    this.#standing.set(stage.name, "running");
    this.#running.set(stage.name, { job, share, poll: watchStage(stage.name, paths) });
    this.#report(stage, "running");
    // Requested while the stage was starting.
    if (kill.aborted) job.kill();
    else if (this.#stopping) this.#stop(job);
    void job.exit.then(({ status, error }) => {
      this.#running.delete(stage.name);
      if (status === "busy") return this.#leave(stage);
      this.#standing.set(stage.name, status === "done" ? "done" : "waiting");
      this.#report(stage, status, error);
      if (status === "failed") this.#fail(`stage "${stage.name}": ${error}`, true);
      // A stage that someone else stopped is not started again.
      if (status !== "done") this.#stopAll();
    });
  }

  #stopAll(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const { job } of this.#running.values()) this.#stop(job);
  }

  #stop(job: StageJob): void {
    job.stop().catch((error: unknown) => {
      this.#options.onEvent({ event: "message", text: error instanceof Error ? error.message : String(error) });
    });
  }

  async #drain(): Promise<void> {
    this.#stopAll();
    await Promise.all([...this.#running.values()].map(({ job }) => job.exit));
  }

  #fail(error: string, reported = false): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#reported = reported;
  }

  #report(stage: PlannedStage, status: string, error?: string): void {
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
        seconds: (record.seconds ?? 0) + (performance.now() - this.#started) / 1000,
        ...(this.#error === undefined ? {} : { error: this.#error }),
      });
      for (const text of await writeReport(this.#root, this.#id)) this.#options.onEvent({ event: "message", text });
    } catch (error) {
      // On a full disk, the first error matters more; the run is then read as interrupted and can still be resumed.
      if (!(error instanceof UserError)) throw error;
      this.#fail(error.message);
    }
    if (this.#error !== undefined && !this.#reported) this.#options.onEvent({ event: "message", text: this.#error });
  }
}

/**
 * Estimated memory for training from the parent's model, bytes; the parent must be done. 0 for stages without such a
 * model, which run alone or need little.
 */
async function memoryNeeded(root: string, plan: Plan, { spec, parents }: PlannedStage): Promise<number> {
  const parent = plan.find(({ name }) => name === parents.model);
  if (!parent || !("phases" in spec)) return 0;
  const { folder, checkpoint } = stagePaths(root, parent.key);
  await checkResult(folder);
  const config = await readConfig(checkpoint);
  return Math.max(
    ...spec.phases.map(({ training: { microBatch, ...computing } }) => trainingMemory(config, microBatch, computing)),
  );
}
