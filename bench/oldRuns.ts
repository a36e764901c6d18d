import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Build, type Json, readRun, stageFolder } from "./builds/build.ts";
import { cases, fileOf, writeCases } from "./builds/cases.ts";
import { Differences, readMetrics } from "./builds/differences.ts";
import { type Client, openPages } from "./builds/pages.ts";

/**
 * `npm run bench -- oldRuns BEFORE [AFTER]`: whether runs that an older build made live on under a newer one. BEFORE, a folder
 * with `dist/btx.js`, makes two finished runs, one that is killed while it finetunes and one that is stopped there. AFTER, this
 * folder if left out, resumes, lists, shows, compares, samples and serves a copy of them, BEFORE another copy: both must say the
 * same, and what is resumed must end with the same bits. Exits with 1 at a difference.
 */

const { values, positionals } = parseArgs({ allowPositionals: true, options: { keep: { type: "boolean" } } });
const [beforeFolder, afterFolder = "."] = positionals;
if (beforeFolder === undefined) throw new Error("name the folder of the older build");
const before = new Build("before", beforeFolder);
const after = new Build("after", afterFolder);
const scratch = mkdtempSync(join(tmpdir(), "btx-old-runs-"));
const made = join(scratch, "made");

const named = (name: string) => {
  const found = cases.find((one) => one.name === name);
  if (!found) throw new Error(`there is no case "${name}"`);
  return found;
};
const [finished, dropping] = [named("top-k and all baselines"), named("switch, dropped tokens")];
/** Long enough to be met while it finetunes. */
const long = (name: string) => {
  const one = named(name);
  return { ...one, sections: { ...one.sections, finetune: "{tokens: 32k, microBatch: 2}" } };
};
const [killed, stopped] = [long("sample top-1"), long("zLoss")];

/** The newest run of `folder`. */
const newest = (folder: string): string => readdirSync(join(folder, ".btx/runs")).sort().at(-1) ?? "";

/** Starts an experiment and, after some steps of its finetuning, has `end` end it. Gives the run's id. */
async function interrupted(file: string, end: (pid: number) => unknown): Promise<string> {
  const runs = existsSync(join(made, ".btx/runs")) ? readdirSync(join(made, ".btx/runs")).length : 0;
  // A checkpoint after every step.
  const child = before.start(["run", file, "--cores", "1", "--json"], made, { BTX_CHECKPOINT_SECONDS: "0" });
  const over = new Promise<void>((done) => child.on("close", () => done()));
  child.stdout?.resume();
  child.stderr?.resume();
  const steps = (): number => {
    if (readdirSync(join(made, ".btx/runs")).length <= runs) return 0;
    const record = join(made, ".btx/runs", newest(made), "run.json");
    if (!existsSync(record)) return 0;
    const { key } = readRun(made, newest(made)).stages.find(({ name }: Json) => name === "finetune");
    return readMetrics(stageFolder(made, key)).length;
  };
  while (steps() < 20) {
    if (child.exitCode !== null) throw new Error(`${file} ended before it could be interrupted`);
    await setTimeout(10);
  }
  await end(child.pid ?? 0);
  await over;
  return newest(made);
}

const rows: [name: string, Differences][] = [];
async function compared(name: string, compare: (differences: Differences) => unknown): Promise<void> {
  const differences = new Differences();
  try {
    await compare(differences);
  } catch (error) {
    differences.add((error as Error).message);
  }
  rows.push([name, differences]);
  const { different, compared: count } = differences;
  console.log(`${different.length === 0 ? "good " : "WRONG"} ${name.padEnd(44)} ${count} values and files`);
  for (const line of different.slice(0, 8)) console.log(`        ${line}`);
}

writeCases(made, [finished, dropping, killed, stopped]);
const ids = [await before.experiment(fileOf(finished), made), await before.experiment(fileOf(dropping), made)];
ids.push(await interrupted(fileOf(killed), (pid) => process.kill(-pid, "SIGKILL")));
ids.push(await interrupted(fileOf(stopped), () => before.run(["stop", newest(made)], made)));

// Two copies at one path, one after the other: paths and run ids are then the same for both builds.
const folder = join(scratch, "run");
const states: Record<string, Json> = {};

/** All that a build says of the runs, as data. */
async function said(build: Build): Promise<Json> {
  cpSync(made, folder, { recursive: true });
  const answers: Json = {};
  const ask = async (name: string, args: string[]) => {
    const { stdout } = await build.run([...args, "--json"], folder);
    answers[name] = stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  };
  for (const id of ids) await ask(`status of ${id} as it was left`, ["status", id]);
  for (const id of ids.slice(2)) {
    await ask(`resume ${id}`, ["resume", id, "--cores", "1"]);
    // Which stage's process is heard of first is no part of it.
    answers[`resume ${id}`] = answers[`resume ${id}`].filter(({ event }: Json) => event === "result");
  }
  await ask("list", ["list"]);
  for (const id of ids) await ask(`show ${id}`, ["show", id]);
  await ask("compare", ["compare"]);
  await ask("compare --bits --equal flops", ["compare", "--bits", "--equal", "flops"]);
  await ask("clean --dry-run", ["clean", "--dry-run"]);
  for (const command of ["list", "status", "show"]) await build.run([command], folder);
  answers.sample = (await build.run(["sample", ids[0] ?? "", "--prompt", "branch", "--tokens", "20"], folder)).stdout;
  answers.reports = ids.map((id) => {
    const report = readFileSync(join(folder, ".btx/runs", id, "report.html"), "utf8");
    return { pictures: report.match(/<svg/g)?.length, tables: report.match(/<table/g)?.length };
  });
  await openPages(build, folder, async (client: Client) => {
    answers.pages = client.pages;
    answers.opened = await client.ask({ type: "open", runs: ids.map((run) => ({ root: join(folder, ".btx"), run })) });
    const model = { root: join(folder, ".btx"), run: ids[1], stage: "finetune" };
    const params = { model, text: "branch train mix 1+2" };
    answers.route = await client.ask({ type: "inspect", inspection: "route", params });
  });
  // Nothing is left to do for an experiment that is done.
  const again = await build.experiment(fileOf(finished), folder);
  const { reused, stages } = readRun(folder, again);
  answers.reused = stages.length - reused.length;
  rmSync(join(folder, ".btx/runs", again), { recursive: true });
  return answers;
}

try {
  states.before = await said(before);
  cpSync(folder, join(scratch, "before"), { recursive: true });
  rmSync(folder, { recursive: true });
  states.after = await said(after);
  for (const name of Object.keys(states.before))
    await compared(name, (differences) => differences.values(states.before[name], states.after[name], name));
  await compared("no stage of a finished run is done again", (differences) =>
    differences.values(0, states.after.reused, "stages"),
  );
  for (const [i, id] of ids.entries())
    await compared(`bits of ${["a finished", "a finished", "a killed", "a stopped"][i]} run`, (differences) =>
      differences.run([join(scratch, "before"), id], [folder, id]),
    );
} catch (error) {
  rows.push(["all commands end with 0", new Differences()]);
  rows.at(-1)?.[1].add((error as Error).message);
  console.log((error as Error).message);
}
const onlyOneHas = new Set(rows.flatMap(([, differences]) => [...differences.onlyOneHas]));
if (onlyOneHas.size > 0) console.log(`only one side has:\n  ${[...onlyOneHas].sort().join("\n  ")}`);
const wrong = rows.filter(([, { different }]) => different.length > 0);
console.log(`${rows.length - wrong.length} good, ${wrong.length} wrong`);
if (values.keep) console.log(scratch);
else rmSync(scratch, { recursive: true, force: true });
process.exitCode = wrong.length === 0 ? 0 : 1;
