import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { compareResults } from "../../server/compare/compare.ts";
import { readResults } from "../../server/compare/results.ts";
import { UserError } from "../../server/protocol/errors.ts";
import { duration } from "../../server/protocol/format.ts";
import type { RunSummary } from "../../server/protocol/run.ts";
import { runRoot, stagePaths } from "../../server/runs/layout.ts";
import { readRun } from "../../server/runs/runs.ts";
import { type Corpora, scales, seedExperiment, variantExperiment, variants } from "./experiments.ts";
import { reproductionPage } from "./page.ts";
import { type Job, runJobs } from "./queue.ts";
import { Results } from "./results.ts";

/**
 * `npm run reproduce [-- --quick] [--math FILE] [--knowledge FILE] [--code GLOB ...]`: the paper's comparisons at small
 * scale. Stopped and started again it goes on. Writes docs/reproduction.md, or with --quick a page beside the runs.
 */

const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    math: { type: "string", default: "../shared/data/gsm8k-train.jsonl" },
    knowledge: { type: "string", default: "../shared/data/wikitext2-valid.txt" },
    code: {
      type: "string",
      multiple: true,
      default: ["node_modules/zod/src/**/*.ts", "node_modules/@types/node/**/*.d.ts"],
    },
  },
});

async function main(): Promise<void> {
  const scale = values.quick ? scales.quick : scales.full;
  const folder = resolve(".btx/reproduction", scale.name);
  const cores = availableParallelism();
  const corpora: Corpora = {
    code: values.code.map((path) => resolve(path)),
    knowledge: corpus("knowledge", values.knowledge, "WikiText-2 as plain text"),
    math: corpus("math", values.math, "GSM8K as .jsonl"),
  };
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string): string => {
    const file = join(folder, `${name.replace(/[^\w-]+/g, "-")}.btx.yaml`);
    if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
    return file;
  };
  const total = 1 + variants.length * scale.randomSeeds.length;
  let done = 0;
  const say = ({ name, randomSeed }: Job, seconds: number) =>
    console.log(`${String(++done).padStart(3)} of ${total}  ${name}, random seed ${randomSeed}: ${duration(seconds)}`);
  console.log(`${total} runs on ${cores} cores, kept in ${folder}; stopped, they go on when this is started again`);

  const seedJob: Job = {
    name: "seed",
    file: write("seed", seedExperiment(corpora, scale)),
    randomSeed: 1,
    cores,
    stage: "seed",
  };
  const seedRun = await runJobs([seedJob], cores, (job, _, seconds) => say(job, seconds));
  const root = runRoot(seedJob.file);
  const seed = await seedCheckpoint(root, seedRun.get(seedJob)!);

  const jobs = variants.flatMap((variant) => {
    const file = write(variant.name, variantExperiment(variant, corpora, scale, seed));
    const share = variant.length === "main" ? cores : 1;
    return scale.randomSeeds.map((randomSeed): Job => ({ name: variant.name, file, randomSeed, cores: share }));
  });
  const summaries = await runJobs(jobs, cores, (job, _, seconds) => say(job, seconds));
  const runs = jobs.map((job) => ({ root, id: summaries.get(job)!.run }));
  const read = await Promise.all(runs.map(readResults));
  const single = read.map((run) => compareResults([run]));
  const results = new Results(compareResults(read), jobs, single);
  const machine = `${cpus()[0]?.model.trim()}, ${cores} cores`;
  const page = reproductionPage(results, scale, machine);
  const file = values.quick ? join(folder, "reproduction.md") : resolve("docs/reproduction.md");
  writeFileSync(file, page);
  console.log(`${page}\nWritten: ${file}`);
}

function corpus(domain: "math" | "knowledge", path: string, what: string): string {
  if (existsSync(path)) return resolve(path);
  throw new UserError(`there is no file ${path}: name the ${domain} corpus (${what}) with --${domain} FILE`);
}

async function seedCheckpoint(root: string, { folder }: RunSummary): Promise<string> {
  const run = (await readRun(folder))!;
  return stagePaths(root, run.record.stages.find(({ name }) => name === "seed")!.key).checkpoint;
}

main().catch((error: unknown) => {
  console.error(
    `reproduce: ${error instanceof UserError ? error.message : error instanceof Error ? error.stack : error}`,
  );
  process.exitCode = 1;
});
