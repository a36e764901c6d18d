import type { DeviceReference } from "../protocol/devices.ts";
import { expertsPerToken } from "../protocol/model.ts";
import type { MixSpec, Plan, PlannedStage } from "../protocol/stage.ts";
import { sectionOf, stageKinds, trainingTokens } from "../protocol/stageKinds.ts";
import { type Place, type Share, sameDevice } from "./executor.ts";

export type StageStanding = "waiting" | "running" | "done";
export interface Start extends Share {
  stage: PlannedStage;
}

/** Number of feed-forward blocks that a token of the mixed model goes to; an expert that is half a block counts 1/2. */
function blocksPerToken({ experts, router, split = 1 }: MixSpec): number {
  const parts = experts.flatMap((name) => Array.from({ length: split }, () => name));
  // Layers after the first, because the first may differ.
  return expertsPerToken({ experts: parts, layers: [], router }, 1) / split;
}

/**
 * Work of a stage alone, in training tokens of a dense model: a token of a mixture counts once per block it goes to.
 */
function work({ spec, parents }: PlannedStage, byName: ReadonlyMap<string, PlannedStage>): number {
  const mix = Object.values(parents)
    .map((parent) => byName.get(parent)?.spec)
    .find((model) => model?.kind === "mix");
  return trainingTokens(spec) * (mix ? Math.max(1, blocksPerToken(mix)) : 1);
}

/** Work from a stage's start to the end of the longest chain of stages that wait for it. */
function chains(plan: Plan): Map<string, number> {
  const byName = new Map(plan.map((stage) => [stage.name, stage]));
  const lengths = new Map<string, number>();
  for (const stage of plan.toReversed()) {
    const after = plan.filter(({ parents }) => Object.values(parents).includes(stage.name));
    const rest = Math.max(0, ...after.map((next) => lengths.get(next.name) ?? 0));
    lengths.set(stage.name, work(stage, byName) + rest);
  }
  return lengths;
}

/** The main path first, then stages with much work behind them, so that no long stage is left alone at the end. */
function urgency({ name, spec }: PlannedStage, chain: number): number {
  if (spec.kind === "expert") return Number.POSITIVE_INFINITY;
  const { makes } = stageKinds[spec.kind];
  if (makes === "model" && sectionOf(name) !== "compare") return Number.MAX_VALUE;
  return chain;
}

/** The resources of a place, and what a stage needs of them. */
export interface Resources extends Pick<Place, "cores" | "memory"> {
  devices: readonly DeviceReference[];
  /** Estimated memory on the CPU of a stage that may start, bytes. */
  needed: (stage: PlannedStage) => number;
}

/** The CPU, for stages that need no device: reading text, joining and averaging weights. */
const host: DeviceReference = { engine: "onnx", device: "cpu" };

/** Whether a device is the CPU, which any number of stages can share. */
const isCpu = ({ device }: DeviceReference): boolean => device === "cpu" || device === "tfjs-node";

/** Whether a stage runs a model: it trains, or evaluates. */
const runsModel = ({ spec }: PlannedStage): boolean =>
  spec.kind === "evaluate" || ("phases" in spec && !("from" in spec && spec.from));

/**
 * The stages to start now, with the CPU threads and the device each gets.
 *
 * On the CPU experts all start at once and share the cores (BTX §3.1); other stages take what is free, at least one
 * thread each: two processes with one thread match one process with two, and small operators gain little from a second
 * thread. A stage that does not fit in memory alongside the others waits. A GPU takes one model at a time, and a thread
 * to feed it; a stage that finds no free GPU goes to the CPU if that is among the devices, or waits.
 */
export function stagesToStart(
  plan: Plan,
  standing: ReadonlyMap<string, StageStanding>,
  running: ReadonlyMap<string, Share>,
  { cores, devices, memory, needed }: Resources,
): Start[] {
  const ready = readyStages(plan, standing);
  const gpus = devices.filter(
    (device) => !isCpu(device) && ![...running.values()].some((share) => sameDevice(share.device, device)),
  );
  const cpu = devices.find(isCpu);
  const starts: Start[] = [];
  const onCpu: Omit<Start, "threads">[] = [];
  let used = [...running.values()].reduce((sum, share) => sum + share.memory, 0);
  const fits = (stage: PlannedStage): boolean => {
    const alone = running.size + onCpu.length === 0;
    if (!alone && used + needed(stage) > memory) return false;
    used += needed(stage);
    return true;
  };
  for (const stage of ready) {
    const gpu = runsModel(stage) ? gpus.shift() : undefined;
    if (gpu) starts.push({ stage, threads: 1, device: gpu, memory: 0 });
    else if (!runsModel(stage)) onCpu.push({ stage, device: host, memory: 0 });
    else if (cpu && fits(stage)) onCpu.push({ stage, device: cpu, memory: needed(stage) });
  }
  const taken = [...running.values(), ...starts].reduce((sum, { threads }) => sum + threads, 0);
  return [...starts, ...shareCores(onCpu, cores - taken, cores)];
}

/** The stages that may start, the most urgent first. */
function readyStages(plan: Plan, standing: ReadonlyMap<string, StageStanding>): PlannedStage[] {
  const lengths = chains(plan);
  const urgencyOf = (stage: PlannedStage) => urgency(stage, lengths.get(stage.name) ?? 0);
  return plan
    .filter(
      ({ name, parents }) =>
        standing.get(name) === "waiting" && Object.values(parents).every((parent) => standing.get(parent) === "done"),
    )
    .sort((a, b) => urgencyOf(b) - urgencyOf(a) || plan.indexOf(a) - plan.indexOf(b));
}

function shareCores(stages: Omit<Start, "threads">[], left: number, cores: number): Start[] {
  const experts = stages.filter(({ stage: { spec } }) => spec.kind === "expert");
  if (experts.length > 0 && left > 0) {
    const threads = Math.max(1, Math.floor(cores / experts.length));
    return experts.map((start) => ({ ...start, threads }));
  }
  let free = left;
  const starts: Start[] = [];
  for (const [index, start] of stages.entries()) {
    if (free < 1) break;
    const threads = Math.max(1, Math.floor(free / (stages.length - index)));
    starts.push({ ...start, threads });
    free -= threads;
  }
  return starts;
}
