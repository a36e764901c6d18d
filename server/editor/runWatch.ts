import { isDeepStrictEqual } from "node:util";
import type { BackendNotificationParams, ListedRun, ListedStage, RunReference } from "../protocol/editor.ts";
import { RunList } from "./runList.ts";
import { StageReader } from "./stageReader.ts";

/**
 * Watches runs and their stages and reports changes. It polls file times instead of using file system events: that also
 * works on network disks and costs a few calls per run.
 */

/** How often, ms. */
const period = 1000;
/** Number of idle runs, the most recently requested, whose stages are kept up to date. */
const maxShown = 20;

export interface Listener {
  runs(changed: BackendNotificationParams<"btx/runsChanged">): void;
  stages(changed: BackendNotificationParams<"btx/stagesChanged">): void;
}

/** A unique key per run; no path contains the separator. */
const idOf = ({ root, run }: RunReference): string => `${root}\0${run}`;

export class RunWatch {
  readonly #listener: Listener;
  readonly #list = new RunList();
  readonly #reader = new StageReader();
  #roots: readonly string[] = [];
  #runs = new Map<string, ListedRun>();
  #problems = new Set<string>();
  /** Stages as last reported. */
  readonly #stages = new Map<string, ListedStage[]>();
  /** Runs whose stages were requested, the latest last. */
  readonly #shown = new Set<string>();
  /** Runs that were running when their stages were last read. */
  #live: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;
  #again = false;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /** Watches exactly these run folders; returns their runs, newest first. */
  async watch(roots: readonly string[]): Promise<{ runs: ListedRun[]; problems: string[] }> {
    this.#roots = roots;
    clearInterval(this.#timer);
    this.#timer = roots.length > 0 ? setInterval(() => void this.check(), period) : undefined;
    const found = await this.#read();
    this.#runs = new Map(found.runs.map((run) => [idOf(run), run]));
    this.#problems = new Set(found.problems);
    void this.check();
    return found;
  }

  /** The stages of a run; reports their changes from now on. @throws UserError if the run cannot be read. */
  async stages(run: RunReference): Promise<ListedStage[]> {
    const id = idOf(run);
    this.#shown.delete(id);
    this.#shown.add(id);
    for (const oldest of this.#shown) {
      if (this.#shown.size <= maxShown) break;
      this.#shown.delete(oldest);
    }
    const stages = await this.#reader.read(run.root, run.run);
    this.#stages.set(id, stages);
    return stages;
  }

  /** The runs that are running, with their stages as last seen. */
  running(): { run: ListedRun; stages: readonly ListedStage[] }[] {
    return [...this.#runs]
      .filter(([, { state }]) => state === "running")
      .map(([id, run]) => ({ run, stages: this.#stages.get(id) ?? [] }));
  }

  /** Checks now. Only one check runs at a time: requests made during one cause a single further check. */
  check(): Promise<void> {
    if (this.#checking) this.#again = true;
    this.#checking ??= this.#checkRepeatedly().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#roots = [];
  }

  async #checkRepeatedly(): Promise<void> {
    do {
      this.#again = false;
      try {
        await this.#checkOnce();
      } catch (error) {
        console.error("reading runs:", error);
      }
    } while (this.#again);
  }

  async #read(): Promise<{ runs: ListedRun[]; problems: string[] }> {
    const found = [];
    for (const root of this.#roots) found.push(await this.#list.read(root));
    const runs = found.flatMap((listed) => listed.runs);
    return {
      runs: runs.sort((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : 0)),
      problems: found.flatMap(({ problems }) => problems),
    };
  }

  async #checkOnce(): Promise<void> {
    const roots = this.#roots;
    const found = await this.#read();
    if (roots !== this.#roots) return;
    const before = this.#runs;
    this.#runs = new Map(found.runs.map((run) => [idOf(run), run]));
    const runs = found.runs.filter((run) => !isDeepStrictEqual(before.get(idOf(run)), run));
    const removed = [...before].filter(([id]) => !this.#runs.has(id)).map(([, { root, run }]) => ({ root, run }));
    const problems = found.problems.filter((problem) => !this.#problems.has(problem));
    this.#problems = new Set(found.problems);
    for (const gone of removed) this.#stages.delete(idOf(gone));
    // Stages first, so that they are final by the time the end of the run is reported.
    await this.#checkStages();
    if (roots !== this.#roots) return;
    if (runs.length + removed.length + problems.length > 0) this.#listener.runs({ runs, removed, problems });
  }

  /**
   * Runs that are running or were at the last check, and shown runs in a folder where a run is running, because it may
   * work on their stages.
   */
  async #checkStages(): Promise<void> {
    const running = this.running().map(({ run }) => run);
    const busy = new Set(running.map(({ root }) => root));
    const before = this.#live;
    this.#live = new Set(running.map(idOf));
    for (const [id, run] of this.#runs) {
      const shown = this.#shown.has(id) && busy.has(run.root);
      if (this.#live.has(id) || before.has(id) || shown) await this.#checkStagesOf(run, id);
    }
  }

  async #checkStagesOf({ root, run }: ListedRun, id: string): Promise<void> {
    const before = this.#stages.get(id);
    // Its record may have been removed or damaged since; the list of runs reports that.
    const now = await this.#reader.read(root, run).catch(() => undefined);
    if (!now) return;
    this.#stages.set(id, now);
    const all = before?.length !== now.length;
    const stages = all ? now : now.filter((stage, index) => !isDeepStrictEqual(stage, before[index]));
    if (stages.length > 0) this.#listener.stages({ root, run, all, stages });
  }

  /** Rereads the stages of all shown runs, whatever their state, after some were removed. */
  async checkShown(): Promise<void> {
    for (const [id, run] of this.#runs) if (this.#shown.has(id)) await this.#checkStagesOf(run, id);
  }
}
