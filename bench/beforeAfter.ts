import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { flopsPerToken } from "../server/model/size.ts";
import type { ModelConfig, RouterConfig } from "../server/protocol/model.ts";
import { median, rounds } from "./measure.ts";
import { startPeer } from "./peers/peer.ts";
import { dense, large, mixture } from "./program.ts";

/**
 * `npm run bench -- beforeAfter BEFORE [AFTER] [--rounds N] [--main N] [--only TEXT]`: whether a commit is slower than another one. BEFORE and
 * AFTER are folders of the project, AFTER this one if left out. Training steps of both are taken in turn, each in a process that
 * stays alive, in N rounds (9); then `npm run bench` of both in turn, N times (3). A figure that is more than 3 % worse is marked,
 * and the command ends with code 1.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "9" },
    main: { type: "string", default: "3" },
    /** Of the steps, those whose name has it. */
    only: { type: "string", default: "" },
  },
});
const [before, after = "."] = positionals;
if (before === undefined) throw new Error("name the folder of the commit to compare with");
const folders = { before: resolve(before), after: resolve(after) };
const names = ["before", "after"] as const;
const threads = availableParallelism();
const most = 0.03;
let worse = 0;

function run(folder: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} in ${folder} ended with ${status}\n${stderr}`);
}
for (const name of names)
  run(
    folders[name],
    "esbuild.mjs",
    ...["main.ts", "worker.ts", "memoryWorker.ts", "peers/step.ts"].map((file) => `bench/${file}`),
  );

/** @param ratio of after to before, larger is better */
function row(what: string, ratio: number): void {
  const isWorse = ratio < 1 - most;
  if (isWorse) worse++;
  console.log(`  ${what.padEnd(48)} ${ratio.toFixed(3)}${isWorse ? "   WORSE" : ""}`);
}

const withRouter = (router: RouterConfig): ModelConfig => ({ ...mixture, moe: { ...mixture.moe!, router } });
const steps: Record<string, { config: ModelConfig; sequences: number }> = {
  "dense, 3.3 M": { config: dense, sequences: 8 },
  "dense, 34.1 M": { config: large, sequences: 4 },
  "4 experts, top-2": { config: mixture, sequences: 8 },
  switch: { config: withRouter({ type: "switch", capacity: 1.5, loadBalance: 0.01 }), sequences: 8 },
  "sample top-1": {
    config: withRouter({ type: "sample-top-1", temperatureRate: 4, minTemperature: 0.5, loadBalance: 0 }),
    sequences: 8,
  },
  soft: { config: withRouter({ type: "soft", loadBalance: 0 }), sequences: 8 },
};
console.log("tokens/s of a training step, after over before:");
for (const [what, { config, sequences }] of Object.entries(steps)) {
  if (!what.includes(values.only)) continue;
  const tokens = sequences * config.context;
  const flops = flopsPerToken(config, { training: true }) * tokens;
  const start = (name: (typeof names)[number]) => {
    const asked = JSON.stringify({ config, sequences, engine: "onnx", device: "cpu", threads });
    const args = [join(folders[name], "dist/bench/step.js"), asked];
    return startPeer({ program: process.execPath, args, env: process.env }, { flops, tokens });
  };
  const measured = { before: await start("before"), after: await start("after") };
  const { share } = await rounds(measured, ["before"], Number(values.rounds), 2);
  for (const one of Object.values(measured)) await one.dispose();
  row(what, share.after ?? Number.NaN);
}

/** Numbers of a file of figures by their path. */
function numbers(value: unknown, path = ""): [string, number][] {
  if (typeof value === "number") return [[path, value]];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => numbers(inner, path === "" ? key : `${path}, ${key}`));
}
const isTheMachines = (path: string): boolean => /^machine|product|copy|counted|seconds$/.test(path);
const isBetterLow = (path: string): boolean => /Ms,|peak/.test(path);

const scratch = mkdtempSync(join(tmpdir(), "btx-bench-"));
const figures = new Map<string, { before: number[]; after: number[] }>();
for (let round = 0; round < Number(values.main); round++)
  for (const name of names) {
    const file = join(scratch, `${name}.json`);
    run(folders[name], "dist/bench/main.js", "--json", file);
    for (const [path, value] of numbers(JSON.parse(readFileSync(file, "utf8")))) {
      const known = figures.get(path) ?? { before: [], after: [] };
      known[name].push(value);
      figures.set(path, known);
    }
  }
rmSync(scratch, { recursive: true });
if (figures.size > 0)
  console.log(`npm run bench, medians of ${values.main}, after over before (of times and memory, before over after):`);
for (const [path, { before: old, after: now }] of figures) {
  if (isTheMachines(path) || median(old) === 0) continue;
  row(path, isBetterLow(path) ? median(old) / median(now) : median(now) / median(old));
}
console.log(worse === 0 ? "nothing is more than 3 % worse" : `${worse} figures are more than 3 % worse`);
process.exitCode = worse === 0 ? 0 : 1;
