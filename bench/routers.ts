import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { cpuEngine } from "../server/engine/onnx/engine.ts";
import type { MoeConfig, RouterConfig } from "../server/protocol/model.ts";
import { countedIn } from "../server/protocol/routingStatistics.ts";
import { measuredOn } from "./machine.ts";
import { type Rates, rounds } from "./measure.ts";
import { routingProbe } from "./probe.ts";
import { type Measured, mixture, trainingStep } from "./program.ts";

/**
 * `npm run bench -- routers [--json FILE]`: what a router costs. Seconds of a training step relative to another, measured
 * in turn in the same run.
 */

const { values } = parseArgs({ options: { json: { type: "string" } } });
const cores = availableParallelism();
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `expert${i}`);
const withMoe = (moe: Partial<MoeConfig>) => ({ ...mixture, moe: { ...mixture.moe!, ...moe } });
const topK = { type: "top-k", k: 2, loadBalance: 0.01 } as const;

/** Seconds of one run of each, over those of `reference`. */
async function relative(
  steps: Record<string, Omit<Measured, "compileMs">>,
  reference: string,
  count = 5,
): Promise<Record<string, number>> {
  const rates: Rates = await rounds(steps, [reference], count, 3);
  for (const step of Object.values(steps)) await step.dispose();
  return Object.fromEntries(
    Object.keys(steps).map((name) => [
      name,
      steps[name]!.flops / steps[reference]!.flops / (rates.share[name]! / rates.share[reference]!),
    ]),
  );
}

const routers: Record<string, RouterConfig> = {
  "top-2": topK,
  "top-2, softmax before selection": { ...topK, softmax: "before" },
  "top-2, Switch's balancing": { ...topK, balance: "switch" },
  "top-2, bias": { ...topK, balance: "bias", biasRate: 1e-3 },
  "top-2, z-loss": { ...topK, zLoss: 1e-3 },
  "switch (one expert a token)": { type: "switch", capacity: 1.5, loadBalance: 0.01 },
  "sample top-1 (first layer soft)": { type: "sample-top-1", temperatureRate: 4, minTemperature: 0.5, loadBalance: 0 },
  "soft (all 4 experts)": { type: "soft", loadBalance: 0 },
};

async function costOfRouters(): Promise<Record<string, number>> {
  const steps: Record<string, Measured> = {};
  for (const [name, router] of Object.entries(routers))
    steps[name] = await trainingStep(withMoe({ router }), cpuEngine(cores));
  return relative(steps, "top-2");
}

/** Experts of the same size, top-2 of them, over 4. What more of them cost is their update: by step, whatever its tokens. */
async function costOfExperts(counts: number[], sequences: number): Promise<Record<string, number>> {
  const steps: Record<string, Measured> = {};
  for (const count of counts)
    steps[`${count} experts`] = await trainingStep(withMoe({ experts: names(count) }), cpuEngine(cores), { sequences });
  return relative(steps, "4 experts", 9);
}

/** With routing statistics and probes, over without: of a step, of a probe, and of training with as many as there may be. */
async function costOfStatistics(): Promise<{ step: number; probe: number; training: number }> {
  const without = await trainingStep(mixture, cpuEngine(cores), { without: countedIn("training", "pairs") });
  const probe = await routingProbe(mixture, cores, without.tokens);
  const steps = { without, step: await trainingStep(mixture, cpuEngine(cores)), probe };
  const ratio = await relative(steps, "without");
  return { step: ratio.step!, probe: ratio.probe!, training: ratio.step! + ratio.probe! / probe.every };
}

const figures = {
  ...measuredOn,
  /** Seconds of a step over top-2's. */
  routers: await costOfRouters(),
  /** Over 4 experts, by tokens a step. */
  experts: { 8192: await costOfExperts([4, 16, 64], 32), 16384: await costOfExperts([4, 64], 64) },
  /** Seconds over those of a step without routing statistics. */
  statistics: await costOfStatistics(),
};
console.log("seconds of a training step (4 experts, 2,048 tokens) over those with top-2:");
for (const [name, ratio] of Object.entries(figures.routers)) console.log(`  ${name.padEnd(34)} ${ratio.toFixed(2)}`);
for (const [tokens, experts] of Object.entries(figures.experts)) {
  console.log(`more experts of the same size, top-2, ${tokens} tokens a step, over 4 experts (goal: at most 1.25):`);
  for (const [name, ratio] of Object.entries(experts)) console.log(`  ${name.padEnd(34)} ${ratio.toFixed(2)}`);
}
const { step, probe, training } = figures.statistics;
console.log(`over a step without routing statistics: ${step.toFixed(3)} with them, ${probe.toFixed(3)} a probe;`);
console.log(`training with both, probed as often as it ever is: ${training.toFixed(3)} (goal: below 1.03)`);
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
