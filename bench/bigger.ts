import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { cpuEngine } from "../server/engine/onnx/engine.ts";
import { measuredOn } from "./machine.ts";
import { median } from "./measure.ts";
import { dense, trainingStep } from "./program.ts";

/**
 * `npm run bench -- bigger [--json FILE]`: a 135 M Llama shape and a mixture of four of them, trained, mixed, finetuned and
 * sampled by `btx` itself; and what a step costs by layers and by tokens. About eight minutes; Linux, for the memory of processes.
 */

const { values } = parseArgs({ options: { json: { type: "string" } } });
const modules = resolve("node_modules");
const experiment = `name: bigger
model:     {layers: 30, hidden: 576, heads: 9, kvHeads: 3, ffn: 1536, context: 256, tiedEmbeddings: true}
tokenizer: {type: bpe, vocab: 49152}
training:  {batch: 4}
domains:
  browser: {files: "${modules}/playwright-core/**/*.js"}
  prose:   {files: "${modules}/**/*.md"}
  types:   {files: "${modules}/@types/**/*.d.ts"}
  schema:  {files: "${modules}/zod/**/*.ts"}
seed:      {tokens: 3k}
experts:   {tokens: 1k}
mix:       {experts: [browser, prose, types, schema], router: {type: top-k, k: 2, loadBalance: 0.01}}
finetune:  {tokens: 3k}
evaluate:  {tokens: 1k}
`;

/** Most resident memory of a process so far, bytes; 0 once it is gone. */
function peakOf(process: string): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${process}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** The processes that a process started, and theirs. */
function descendants(of: number): string[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((id) => {
      try {
        const [, parent] = /\) \S+ (\d+)/.exec(readFileSync(`/proc/${id}/stat`, "utf8"))!;
        return [{ id, parent: Number(parent) }];
      } catch {
        return [];
      }
    });
  const found = [of];
  for (const process of found) for (const { id, parent } of parents) if (parent === process) found.push(Number(id));
  return found.map(String);
}

interface Use {
  seconds: number;
  /** Of the largest of its processes, bytes. */
  peak: number;
}

/** Runs `btx` to its end. */
async function btx(folder: string, ...args: string[]): Promise<Use> {
  const start = performance.now();
  const child = spawn(process.execPath, [resolve("dist/btx.js"), ...args], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, ...descendants(child.pid!).map(peakOf));
  }, 100);
  const code = await new Promise((done) => child.once("close", done));
  clearInterval(timer);
  if (code !== 0) throw new Error(`btx ${args.join(" ")} ended with code ${code}`);
  return { seconds: (performance.now() - start) / 1000, peak };
}

interface StageTimes {
  name: string;
  /** Seconds from the process's start to the end of its first step, compiling included. */
  firstStep: number;
  tokensPerSecond: number;
}

/** What the stages that trained say of themselves. */
function trained(folder: string): StageTimes[] {
  const stages = join(folder, ".btx/stages");
  return readdirSync(stages).flatMap((key) => {
    const read = (file: string) => readFileSync(join(stages, key, file), "utf8");
    const { name, started, result } = JSON.parse(read("stage.json"));
    if (!result?.steps) return [];
    const compiled = /^(\S+) compiled in/m.exec(read("log.txt"))![1]!;
    const [first] = read("metrics.jsonl").split("\n");
    const firstStep = (Date.parse(compiled) - Date.parse(started)) / 1000 + JSON.parse(first!).seconds;
    return [{ name, firstStep, tokensPerSecond: result.tokensPerSecond }];
  });
}

async function wholeRun(): Promise<{ stages: StageTimes[]; use: Record<string, Use> }> {
  const folder = mkdtempSync(join(tmpdir(), "btx-bigger-"));
  try {
    const file = join(folder, "bigger.btx.yaml");
    writeFileSync(file, experiment);
    const use: Record<string, Use> = { seed: await btx(folder, "run", file, "--stage", "seed") };
    // One after the other: four at once are four times 5 GB.
    for (const name of ["browser", "prose", "types", "schema"])
      use[`expert ${name}`] = await btx(folder, "run", file, "--stage", `expert:${name}`);
    use.mix = await btx(folder, "run", file, "--stage", "mix");
    use.finetune = await btx(folder, "run", file, "--stage", "finetune");
    use.sample = await btx(folder, "sample", "--prompt", "export const", "--tokens", "32");
    return { stages: trained(folder), use };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Seconds of a step of each, the median of five after a first. */
async function secondsOfStep(layers: number, sequences: number): Promise<number> {
  const step = await trainingStep({ ...dense, layers }, cpuEngine(availableParallelism()), { sequences });
  const times: number[] = [];
  for (let i = 0; i < 6; i++) {
    const start = performance.now();
    await step.run();
    times.push((performance.now() - start) / 1000);
  }
  await step.dispose();
  return median(times.slice(1));
}

const layers: Record<number, number> = {};
for (const count of [2, 4, 8, 16, 32]) layers[count] = await secondsOfStep(count, 8);
const tokens: Record<number, number> = {};
for (const count of [2, 4, 8, 16, 32]) tokens[count * dense.context] = await secondsOfStep(4, count);
const { stages, use } = await wholeRun();

const figures = {
  ...measuredOn,
  stages,
  use,
  /** Seconds of a step of the 3.3 M model's shape with so many layers, 2,048 tokens. */
  layers,
  /** Seconds of a step of the 3.3 M model with so many tokens. */
  tokens,
};
console.log("stage              s to first step   tokens/s");
for (const { name, firstStep, tokensPerSecond } of stages)
  console.log(`${name.padEnd(18)} ${firstStep.toFixed(1).padStart(15)} ${tokensPerSecond.toFixed(0).padStart(10)}`);
console.log("\ncommand            whole, s    peak memory of a process");
for (const [name, { seconds, peak }] of Object.entries(use))
  console.log(`${name.padEnd(18)} ${seconds.toFixed(1).padStart(8)} ${(peak / 1e9).toFixed(2).padStart(15)} GB`);
for (const [of, curve] of Object.entries({ layers, tokens })) {
  console.log(`\n${of.padEnd(10)} ms a step    ms each`);
  for (const [count, seconds] of Object.entries(curve))
    console.log(
      `${count.padEnd(10)} ${(seconds * 1000).toFixed(0).padStart(9)} ${((seconds * 1000) / Number(count)).toFixed(3).padStart(10)}`,
    );
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);
