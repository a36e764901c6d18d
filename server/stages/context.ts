import { setImmediate } from "node:timers/promises";
import { appendText } from "../disk/append.ts";
import type { Engine } from "../engine/engine.ts";
import { StopRequested } from "../protocol/errors.ts";
import type { FileDigests, StageResult, StageSpec } from "../protocol/stage.ts";
import { type StagePaths, stagePaths } from "../runs/layout.ts";
import { stopRequested as isStopRequested } from "../runs/stop.ts";

/** The environment in which a stage does its work. */
export interface StageContext<Spec extends StageSpec = StageSpec> {
  name: string;
  spec: Spec;
  paths: StagePaths;
  /** Paths of the parent stage in a role. */
  parent(role: string): StagePaths;
  engine: Engine;
  /** Yields to signals and messages. @throws StopRequested if the stage was asked to stop */
  yieldToSignals(): Promise<void>;
  stopRequested(): boolean;
  /** Reports digests of files that were written in pieces, for the stage's record. */
  written(files: FileDigests): void;
  /** Adds a line to the stage's log. */
  log(text: string): void;
  /** Reports progress of work without training steps. */
  progress(done: number, total: number, label: string): void;
}

export type StageWork<Spec extends StageSpec> = (context: StageContext<Spec>) => Promise<StageResult>;

interface ContextOptions<Spec> {
  root: string;
  name: string;
  spec: Spec;
  key: string;
  parents: Record<string, string>;
  engine: Engine;
  stopSignalled: () => boolean;
  progress: StageContext["progress"];
  written: StageContext["written"];
}

export function stageContext<Spec extends StageSpec>(options: ContextOptions<Spec>): StageContext<Spec> {
  const { root, name, spec, key, parents, engine, stopSignalled, progress, written } = options;
  const paths = stagePaths(root, key);
  const stopRequested = () => stopSignalled() || isStopRequested(paths.stop);
  return {
    name,
    spec,
    paths,
    engine,
    stopRequested,
    progress,
    written,
    parent(role) {
      const parent = parents[role];
      if (!parent) throw new Error(`stage ${name} has no parent "${role}"`);
      return stagePaths(root, parent);
    },
    async yieldToSignals() {
      await setImmediate();
      if (stopRequested()) throw new StopRequested();
    },
    log(text) {
      appendText(paths.log, `${new Date().toISOString()} ${text}\n`);
    },
  };
}
