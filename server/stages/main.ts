import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { removeLeftovers } from "../disk/atomic.ts";
import { explained } from "../disk/errors.ts";
import { TakenOver } from "../disk/fence.ts";
import type { Engine } from "../engine/engine.ts";
import { openEngine } from "../engine/open.ts";
import { StopRequested, UserError } from "../protocol/errors.ts";
import type { FileDigests, PlannedStage, StageKind, StageRecord, StageResult, StageSpec } from "../protocol/stage.ts";
import { explainDamage } from "../runs/damage.ts";
import { runPaths, stagePaths } from "../runs/layout.ts";
import { acquireLock, LockedError } from "../runs/lock.ts";
import { readLastMetric } from "../runs/read.ts";
import { readRun } from "../runs/runs.ts";
import { checkResult, digestsOfStage } from "../runs/stageFiles.ts";
import { readStage, writeStage } from "../runs/stages.ts";
import { clearStop } from "../runs/stop.ts";
import { btm } from "./btm.ts";
import { type StageContext, type StageWork, stageContext } from "./context.ts";
import { continued } from "./continued.ts";
import { data } from "./data.ts";
import { evaluate } from "./evaluate.ts";
import { average, mix } from "./mix.ts";
import { exitCodes, progressFile, stageOptionsSchema } from "./process.ts";
import { seed } from "./seed.ts";

/**
 * A stage's process: `stage.js ROOT RUN NAME OPTIONS`, where OPTIONS is JSON (`stageOptionsSchema`). It takes the
 * stage's lock, does the stage's work and writes the outcome into the stage's folder. It saves a checkpoint and stops
 * on SIGTERM, on the stage's `stop` file, and when the runner that it belongs to is gone. A process without a runner
 * lives until its work is done.
 */

/** The work of each kind of stage. */
const stageWork: { readonly [Kind in StageKind]: StageWork<Extract<StageSpec, { kind: Kind }>> } = {
  data,
  seed,
  expert: continued,
  finetune: continued,
  dense: continued,
  upcycling: continued,
  mix,
  average,
  evaluate,
  btm,
};

const work = (context: StageContext): Promise<StageResult> =>
  // The entry for a spec's kind takes specs of this kind.
  (stageWork[context.spec.kind] as StageWork<StageSpec>)(context);

async function planned(
  root: string,
  runId: string,
  name: string,
): Promise<{ stage: PlannedStage; parents: Record<string, string> }> {
  const run = await readRun(runPaths(root, runId).folder);
  const stages = run?.record.stages ?? [];
  const stage = stages.find((candidate) => candidate.name === name);
  if (!stage) throw new UserError(`run ${runId} in ${root} has no stage "${name}"`);
  const keyOf = (parent: string) => stages.find((candidate) => candidate.name === parent)!.key;
  const parents = Object.fromEntries(Object.entries(stage.parents).map(([role, parent]) => [role, keyOf(parent)]));
  return { stage, parents };
}

async function main(): Promise<number> {
  const [root, runId, name, text] = process.argv.slice(2) as [string, string, string, string];
  const { threads, device, name: deviceName, why, runner } = stageOptionsSchema.parse(JSON.parse(text));
  let stopSignalled = false;
  const ask = () => {
    stopSignalled = true;
  };
  // Ctrl-C reaches the whole process group; the runner decides what it means.
  process.on("SIGINT", runner === undefined ? ask : () => {});
  process.on("SIGTERM", ask);
  process.on("disconnect", ask);

  const { stage, parents } = await planned(root, runId, name);
  const paths = stagePaths(root, stage.key);
  // If the runner is already gone, do not take the lock: whoever resumes the run needs it.
  if (runner !== undefined && (!process.connected || process.ppid !== runner)) return exitCodes.stopped;
  const lock = acquireLock(paths.folder, `stage "${name}"`, { runner });
  try {
    await removeLeftovers(paths.folder);
    const before = await readStage(paths.folder);
    if (before?.record.status === "done") return exitCodes.busy;
    const [started, clock] = [performance.now(), new Date()];
    const progress = progressFile(paths.folder);
    const engine = await openEngine(device, { threads, name: deviceName });
    const written: FileDigests = {};
    const context = stageContext({
      root,
      name,
      spec: stage.spec,
      key: stage.key,
      parents,
      engine,
      stopSignalled: () => stopSignalled,
      progress,
      written: (files) => Object.assign(written, files),
    });
    // A killed process did not record its working time, but its metrics contain it.
    const trained = before ? await readLastMetric(before.paths) : undefined;
    const earlier = Math.max(before?.record.seconds ?? 0, trained?.seconds ?? 0);
    const record: StageRecord = {
      version: 1,
      kind: stage.spec.kind,
      name,
      key: stage.key,
      parents,
      spec: stage.spec,
      status: "running",
      engine: engine.engine,
      device: engine.device,
      description: engine.description,
      why,
      threads,
      ...ranOn(before?.record, engine),
      created: before?.record.created ?? clock.toISOString(),
      started: clock.toISOString(),
      seconds: earlier,
      versions: versions(),
    };
    const write = (change: Partial<StageRecord>) =>
      writeStage(paths, {
        ...record,
        seconds: earlier + (performance.now() - started) / 1000,
        finished: new Date().toISOString(),
        ...change,
      });
    await writeStage(paths, record);
    context.log(`process ${process.pid} starts: ${engine.engine} on ${engine.device} (${engine.description}): ${why}`);
    try {
      for (const key of new Set(Object.values(parents))) await checkResult(stagePaths(root, key).folder, runId);
      const result = await work(context);
      await write({ status: "done", result, files: await digestsOfStage(paths.folder, written) });
      return exitCodes.done;
    } catch (thrown) {
      const error = explainDamage(explained(thrown), runId);
      if (error instanceof TakenOver) throw error;
      if (error instanceof StopRequested) {
        await write({ status: "stopped" });
        context.log("stopped on request");
        return exitCodes.stopped;
      }
      const message = error instanceof UserError ? error.message : `${error instanceof Error ? error.stack : error}`;
      if (existsSync(paths.folder)) {
        await write({ status: "failed", error: message }).catch(() => {});
      }
      throw error;
    }
  } finally {
    await clearStop(paths.stop).catch(() => {});
    lock.release();
  }
}

/** The engines and devices that a stage has run on, if there was more than one. */
function ranOn(before: StageRecord | undefined, engine: Engine): Pick<StageRecord, "ranOn"> {
  if (!before) return {};
  const { engine: name, device, description = "" } = before;
  const earlier = before.ranOn ?? [{ engine: name as Engine["engine"], device, description }];
  const last = earlier.at(-1)!;
  const now = { engine: engine.engine, device: engine.device, description: engine.description };
  if (last.engine === now.engine && last.device === now.device) return before.ranOn ? { ranOn: before.ranOn } : {};
  return { ranOn: [...earlier, now] };
}

function versions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const versionOf = (name: string) => (require(`${name}/package.json`) as { version: string }).version;
  return { node: process.versions.node, "onnxruntime-node": versionOf("onnxruntime-node") };
}

const exitCodeOf = (error: unknown): number => {
  if (error instanceof LockedError || error instanceof TakenOver) return exitCodes.busy;
  return error instanceof UserError ? exitCodes.refused : exitCodes.failed;
};

process.setSourceMapsEnabled(true);
main().then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    const error = explained(thrown);
    const text =
      error instanceof UserError
        ? error.message
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error);
    process.stderr.write(`${text}\n`, () => process.exit(exitCodeOf(error)));
  },
);
