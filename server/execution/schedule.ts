import { expertsPerToken } from "../protocol/model.ts";
import type { MixSpec, Plan, PlannedStage, StageSpec } from "../protocol/stage.ts";

export type StageStanding = "waiting" | "running" | "done";
export interface Start {
  stage: PlannedStage;
  threads: number;
}

/** Tokens a stage trains on; 0 for stages that do not train. */
const trainingTokens = (spec: StageSpec): number =>
  "phases" in spec ? spec.phases.reduce((sum, { tokens }) => sum + tokens, 0) : 0;

/** Feed-forward blocks that a token of the mixed model goes to, in whole blocks: half an expert of two counts one half. */
function blocksPerToken({ experts, router, split = 1 }: MixSpec): number {
  const parts = experts.flatMap((name) => Array.from({ length: split }, () => name));
  // Layers after the first: they are most, and the first may differ.
  return expertsPerToken({ experts: parts, layers: [], router }, 1) / split;
}

/** Work of a stage on its own, in tokens of a dense model's training: one of a mixture costs as many as its token's blocks. */
function work({ spec, parents }: PlannedStage, byName: ReadonlyMap<string, PlannedStage>): number {
  const mix = Object.values(parents)
    .map((parent) => byName.get(parent)?.spec)
    .find((model) => model?.kind === "mix");
  return trainingTokens(spec) * (mix ? Math.max(1, blocksPerToken(mix)) : 1);
}

/** Work from a stage's start to the end of the longest chain of stages that waits for it. */
function chains(plan: Plan): Map<string, number> {
  const byName = new Map(plan.map((stage) => [stage.name, stage]));
  const lengths = new Map<string, number>();
  for (const stage of plan.toReversed()) {
    const after = plan.filter(({ parents }) => Object.values(parents).includes(stage.name));
    const rest = Math.max(0, ...after.map((next) => lengths.get(next.name)!));
    lengths.set(stage.name, work(stage, byName) + rest);
  }
  return lengths;
}

/** The main path first, then what much work waits for, so that nothing long is left alone at the end. */
function urgency({ name, spec }: PlannedStage, chain: number): number {
  if (spec.kind === "expert") return Number.POSITIVE_INFINITY;
  if (name === "mix" || name === "finetune") return Number.MAX_VALUE;
  return chain;
}

/**
 * The stages to start now, with the CPU threads each gets. Experts all start at once and share the cores (BTX §3.1);
 * other stages take what is free, at least one thread each: two processes of one thread do the work of one process of
 * two, and small operators gain little from a second thread.
 */
export function startable(
  plan: Plan,
  standing: ReadonlyMap<string, StageStanding>,
  running: ReadonlyMap<string, number>,
  cores: number,
): Start[] {
  const lengths = chains(plan);
  const urgencyOf = (stage: PlannedStage) => urgency(stage, lengths.get(stage.name)!);
  const ready = plan
    .filter(({ name, parents }) => {
      return (
        standing.get(name) === "waiting" && Object.values(parents).every((parent) => standing.get(parent) === "done")
      );
    })
    .sort((a, b) => urgencyOf(b) - urgencyOf(a) || plan.indexOf(a) - plan.indexOf(b));
  let free = cores - [...running.values()].reduce((sum, threads) => sum + threads, 0);
  const experts = ready.filter(({ spec }) => spec.kind === "expert");
  if (experts.length > 0 && free > 0) {
    const threads = Math.max(1, Math.floor(cores / experts.length));
    return experts.map((stage) => ({ stage, threads }));
  }
  const starts: Start[] = [];
  for (const [index, stage] of ready.entries()) {
    if (free < 1) break;
    const threads = Math.max(1, Math.floor(free / (ready.length - index)));
    starts.push({ stage, threads });
    free -= threads;
  }
  return starts;
}
