import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { cpuEngine } from "../server/engine/onnx/engine.ts";
import { decoding } from "./decode.ts";
import { measuredOn } from "./machine.ts";
import { median, rounds } from "./measure.ts";
import { memoryUse } from "./memory.ts";
import { parallelExperts } from "./parallel.ts";
import { dense, gemm, large, mixture, trainingStep } from "./program.ts";

/** `npm run bench -- [--json FILE]`: the figures of bench/README.md, about 3 minutes. */

const { values } = parseArgs({ options: { json: { type: "string" } } });
const cores = availableParallelism();

console.log("products and training steps in turn ...");
const measured = {
  "product 1024x1024x1024": await gemm(1024, 1024, 1024, cores),
  "product 2048x256x704": await gemm(2048, 256, 704, cores),
  "product 2048x2048x2048": await gemm(2048, 2048, 2048, cores),
  "dense step": await trainingStep(dense, cpuEngine(cores)),
  "large dense step": await trainingStep(large, cpuEngine(cores), { sequences: 4 }),
  "mixture step": await trainingStep(mixture, cpuEngine(cores)),
};
// The third fits in the cache, which no step does: it is shown, and compared with nothing.
const rates = await rounds(measured, ["product 1024x1024x1024", "product 2048x2048x2048"], 7, 2);
for (const each of Object.values(measured)) await each.dispose();

console.log("memory of a step, decoding ...");
const memory = await memoryUse();
const decode = await decoding(cores, 7);

console.log("three experts in parallel ...");
const parallel = await parallelExperts(cores, 5, 3);

console.log("capture and compile ...");
const compile: Record<string, number> = {};
for (const [name, config] of Object.entries({ dense, mixture })) {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const step = await trainingStep(config, cpuEngine(cores));
    times.push(step.compileMs);
    await step.dispose();
  }
  compile[name] = median(times);
}

const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
const figures = {
  ...measuredOn,
  versions: { node: process.versions.node, "onnxruntime-node": version },
  flopsPerSecond: rates.flops,
  tokensPerSecond: rates.tokensPerSecond,
  denseShare: rates.share["dense step"]!,
  largeShare: rates.share["large dense step"]!,
  mixtureShare: rates.share["mixture step"]!,
  memory,
  decode,
  parallel,
  compileMs: compile,
};

const row = (what: string, value: string, goal: string, reached: boolean) =>
  console.log(`${what.padEnd(58)} ${value.padStart(9)}  ${goal.padStart(12)}  ${reached ? "reached" : "missed"}`);
console.log(`\n${figures.machine.cpu}, ${cores} cores, onnxruntime-node ${version}`);
for (const [name, flops] of Object.entries(rates.flops)) {
  const tokens = rates.tokensPerSecond[name]!;
  console.log(
    `  ${name.padEnd(26)} ${(flops / 1e9).toFixed(1).padStart(7)} GFLOP/s${tokens ? `  ${Math.round(tokens)} tokens/s` : ""}`,
  );
}
const least = (what: string, value: number, goal: number) =>
  row(what, value.toFixed(3), goal.toFixed(2), value >= goal);
least("dense step, 3.3 M parameters, FLOP/s over the product's", figures.denseShare, 0.85);
least("dense step, 34.1 M parameters", figures.largeShare, 0.85);
least("step with 4 experts, top-2, active FLOP/s", figures.mixtureShare, 0.75);
least("greedy decoding, tokens/s over weights/s at copy speed", decode.share, 0.5);
for (const [name, { peak, counted }] of Object.entries(memory))
  row(`peak memory over counted, 34.1 M, ${name}`, (peak / counted).toFixed(2), "1.3", peak / counted <= 1.3);
row(
  "three experts at once over one with all cores, tokens/s",
  parallel.ratio.toFixed(3),
  "0.95",
  parallel.ratio >= 0.95,
);
for (const [name, ms] of Object.entries(compile))
  row(`capture and compile a ${name} step`, `${Math.round(ms)} ms`, "1000 ms", ms < 1000);
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
