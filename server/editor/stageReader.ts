import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import { defined } from "../protocol/defined.ts";
import type { ListedCheckpoint, ListedStage } from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import { mixedExperts } from "../protocol/model.ts";
import { type RunRecord, runRecordSchema } from "../protocol/run.ts";
import { type PlannedStage, type StageRecord, stageRecordSchema } from "../protocol/stage.ts";
import { stageKinds, trainingTokens } from "../protocol/stageKinds.ts";
import { mixOf } from "../runs/findModel.ts";
import { runPaths, type StagePaths, stagePaths } from "../runs/layout.ts";
import { lockHolder } from "../runs/lock.ts";
import { readJson, readLastMetric } from "../runs/read.ts";
import { progressPath, stageProgressSchema } from "../stages/process.ts";
import { ChangedFiles, inParallel } from "./changedFiles.ts";

/** The stages of runs as the editor lists them, reread only when files change. */

const atOnce = 8;

export class StageReader {
  readonly #files = new ChangedFiles(5000);

  /** The stages of a run. @throws UserError if the run cannot be read */
  async read(root: string, run: string): Promise<ListedStage[]> {
    const path = runPaths(root, run).record;
    const record = await this.#files.read(path, () => readJson(path, runRecordSchema));
    if (!record) throw new UserError(`there is no run ${run} in ${root}`);
    return inParallel(record.stages, atOnce, (planned) => this.#stage(root, record, planned));
  }

  async #stage(root: string, run: RunRecord, planned: PlannedStage): Promise<ListedStage> {
    const { name, key, spec } = planned;
    const paths = stagePaths(root, key);
    const facts: Pick<ListedStage, "name" | "kind" | "key" | "folder" | "work" | "experts"> = {
      name,
      kind: spec.kind,
      key,
      folder: paths.folder,
      work: trainingTokens(spec),
      experts: expertsOf(planned, run.stages),
    };
    try {
      const record = await this.#record(paths);
      if (!record) return { ...facts, state: "waiting", reused: false, checkpoints: [] };
      const holder = lockHolder(paths.folder);
      const state = record.status === "running" && !holder ? await this.#ended(paths) : record.status;
      return {
        ...facts,
        state,
        reused: run.reused.includes(name) && (record.finished ?? "") < run.created,
        ...recorded(record),
        ...(state === "done" ? {} : await this.#soFar(paths, record)),
        ...(holder ? { pid: holder.pid, ...(holder.host === hostname() ? {} : { host: holder.host }) } : {}),
        checkpoints: await checkpointsOf(paths, state !== "done", this.#files),
      };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { ...facts, state: "failed", reused: false, error: error.message, checkpoints: [] };
    }
  }

  #record(paths: StagePaths): Promise<StageRecord | undefined> {
    return this.#files.read(paths.record, () => readJson(paths.record, stageRecordSchema));
  }

  /** The final state of a stage that was recorded as running a moment ago but has no process. */
  async #ended(paths: StagePaths): Promise<ListedStage["state"]> {
    const record = await this.#record(paths);
    return record && record.status !== "running" ? record.status : "interrupted";
  }

  /** Progress of an unfinished stage. */
  async #soFar(paths: StagePaths, record: StageRecord): Promise<Partial<ListedStage>> {
    const metric = await this.#files.read(paths.metrics, () => readLastMetric(paths).catch(() => undefined));
    if (metric) {
      const { step, steps, loss, tokens, tokensPerSecond, seconds } = metric;
      const atWork = record.status === "running";
      return {
        done: step,
        total: steps,
        loss,
        tokens,
        seconds: Math.max(seconds, record.seconds),
        ...(atWork ? { tokensPerSecond, secondsLeft: ((steps - step) * seconds) / step } : {}),
      };
    }
    const path = progressPath(paths.folder);
    const work = await this.#files.read(path, async () => {
      // A half-written file is not an error.
      return readJson(path, stageProgressSchema).catch(() => undefined);
    });
    return work ? { done: work.done, total: work.total, label: work.label } : {};
  }
}

/** What a stage's record says about it. */
function recorded({ engine, device, threads, started, finished, error, seconds, result }: StageRecord): object {
  const heldOut = Object.entries(result?.losses ?? {}).map(([domain, { nats }]): [string, number] => [domain, nats]);
  const { trainingLoss, tokens, tokensPerSecond, parameters, activeParameters, flops, steps } = result ?? {};
  return defined({
    engine,
    device,
    threads,
    started,
    finished,
    error,
    seconds,
    loss: trainingLoss,
    heldOut: heldOut.length > 0 ? Object.fromEntries(heldOut) : undefined,
    tokens,
    tokensPerSecond,
    parameters,
    activeParameters,
    flops,
    done: steps,
    total: steps,
  });
}

/** Names of a mixed model's experts, taken from the mix stage it is or descends from. */
function expertsOf(stage: PlannedStage, plan: readonly PlannedStage[]): string[] {
  const mix = stageKinds[stage.spec.kind].hasExperts ? mixOf({ stage, stages: plan }) : undefined;
  return mix ? mixedExperts(mix.spec) : [];
}

/** A stage's model, and the state from which unfinished training resumes. */
async function checkpointsOf(paths: StagePaths, unfinished: boolean, files: ChangedFiles): Promise<ListedCheckpoint[]> {
  const found: ListedCheckpoint[] = [];
  const weights = join(paths.checkpoint, "model.safetensors");
  const model = await files.read(weights, () => sizeAndTime(weights));
  if (model) found.push({ holds: "model", path: paths.checkpoint, ...model });
  const state = unfinished ? await files.read(paths.state, () => readState(paths.state)) : undefined;
  if (state) found.push({ holds: "training state", path: paths.state, ...state });
  return found;
}

async function sizeAndTime(path: string): Promise<{ bytes: number; saved: string }> {
  const { size, mtime } = await stat(path);
  return { bytes: size, saved: mtime.toISOString() };
}

async function readState(path: string): Promise<{ bytes: number; saved: string; step?: number }> {
  const facts = await sizeAndTime(path);
  try {
    const file = await openSafetensors(path);
    await file.close();
    const step: unknown = JSON.parse(file.metadata.get("progress") ?? "{}").step;
    return Number.isSafeInteger(step) ? { ...facts, step: step as number } : facts;
  } catch {
    // It was being replaced or is damaged; the stage reports that when it resumes.
    return facts;
  }
}
