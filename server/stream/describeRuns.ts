import { stageColors } from "../protocol/colors.ts";
import type { RunReference } from "../protocol/editor/basics.ts";
import { UserError } from "../protocol/errors.ts";
import type { Metric, PlannedStage } from "../protocol/stage.ts";
import { stageKinds } from "../protocol/stageKinds.ts";
import type { Axis, StreamedRun, StreamedStage } from "../protocol/stream.ts";
import { runPaths, stagePaths } from "../runs/layout.ts";
import { readLastMetric } from "../runs/read.ts";
import { readRun } from "../runs/runs.ts";
import { readStage, type Stage } from "../runs/stages.ts";
import type { Source } from "./reader/requests.ts";

/** Runs as pages see them: the stages that train, and where their metrics are. */

export interface DescribedRun {
  streamed: StreamedRun;
  /** By key; of every stage that trains. */
  sources: Map<string, Source>;
}

/** Where something ends on each axis. */
type Ends = Record<Axis, number>;
const nowhere: Ends = { step: 0, tokens: 0, seconds: 0, flops: 0 };

/** Reads a run. If it cannot be read, the description states the problem. */
export async function describeRun({ root, run }: RunReference): Promise<DescribedRun> {
  try {
    return await read(root, run);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const streamed: StreamedRun = {
      root,
      run,
      name: run,
      created: "",
      state: "failed",
      problem: error.message,
      stages: [],
      mixes: [],
    };
    return { streamed, sources: new Map() };
  }
}

async function read(root: string, id: string): Promise<DescribedRun> {
  const run = await readRun(runPaths(root, id).folder);
  if (!run) throw new UserError(`there is no run ${id} in ${root}: it was removed, or the folder was moved`);
  const { record, state } = run;
  const colors = stageColors(record.stages.map(({ name }) => name));
  const ends = new Map<string, Ends>();
  const stages: StreamedStage[] = [];
  const mixes: StreamedStage[] = [];
  const sources = new Map<string, Source>();
  for (const planned of record.stages) {
    const begins = latest(Object.values(planned.parents).map((parent) => ends.get(parent) ?? nowhere));
    const { trains, hasExperts } = stageKinds[planned.spec.kind];
    const mixed = hasExperts && !trains;
    const stage = trains || mixed ? await readStage(stagePaths(root, planned.key).folder) : undefined;
    if (mixed) mixes.push(streamedStage(planned, stage, colors));
    if (!trains) {
      ends.set(planned.name, begins);
      continue;
    }
    const flopsPerToken = perToken(stage);
    ends.set(planned.name, endOf(begins, await lastMetric(root, planned), flopsPerToken));
    stages.push(streamedStage(planned, stage, colors));
    sources.set(planned.key, {
      root,
      key: planned.key,
      path: stagePaths(root, planned.key).metrics,
      begins,
      ...(flopsPerToken === undefined ? {} : { flopsPerToken }),
    });
  }
  return { streamed: { root, run: id, name: record.name, created: record.created, state, stages, mixes }, sources };
}

function streamedStage(
  { key, name, spec: { kind } }: PlannedStage,
  stage: Stage | undefined,
  colors: ReturnType<typeof stageColors>,
): StreamedStage {
  const color = colors.get(name);
  const { error } = stage?.record ?? {};
  return {
    key,
    name,
    kind,
    state: stage?.state ?? "waiting",
    ...(color ? { color } : {}),
    ...(error === undefined ? {} : { error }),
  };
}

/** The last line may be incomplete or from another version: the stage then ends where it began. */
async function lastMetric(root: string, { key }: PlannedStage): Promise<Metric | undefined> {
  try {
    return await readLastMetric(stagePaths(root, key));
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function perToken(stage: Stage | undefined): number | undefined {
  const { flops, tokens } = stage?.record.result ?? {};
  return flops !== undefined && tokens ? flops / tokens : undefined;
}

function endOf(begins: Ends, last: Metric | undefined, flopsPerToken: number | undefined): Ends {
  if (!last) return begins;
  const flops = last.flops ?? (flopsPerToken === undefined ? 0 : flopsPerToken * last.tokens);
  return {
    step: begins.step + last.step,
    tokens: begins.tokens + last.tokens,
    seconds: begins.seconds + last.seconds,
    flops: begins.flops + flops,
  };
}

function latest(ends: readonly Ends[]): Ends {
  const most = (axis: Axis) => Math.max(0, ...ends.map((end) => end[axis]));
  return { step: most("step"), tokens: most("tokens"), seconds: most("seconds"), flops: most("flops") };
}

/** Where the metrics of these runs are. */
export const sourcesOf = (runs: readonly DescribedRun[]): Source[] =>
  runs.flatMap(({ sources }) => [...sources.values()]);

/** A text that changes when started stages appear, disappear or move on the axes. */
export function placesOf(runs: readonly DescribedRun[]): string {
  const begun = runs.flatMap(({ streamed: { stages }, sources }) =>
    stages.filter(({ state }) => state !== "waiting").map(({ key }) => sources.get(key)),
  );
  return JSON.stringify(begun);
}
