import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { deviceSchema } from "../../server/protocol/devices.ts";
import { type RunSummary, runEventSchema, runSummarySchema } from "../../server/protocol/run.ts";
import { runPaths } from "../../server/runs/layout.ts";
import { summarizeRun } from "../../server/runs/summary.ts";
import { type ExperimentFolder, experimentText } from "../fixtures/experiment.ts";
import { btx, btxSummary, said } from "./btx.ts";
import { newestRun, readRunRecord, readStageRecord } from "./results.ts";
import { copyOfFinished, finishedExperiment, tinyExperiment } from "./scratch.ts";

describe("the command btx, on a finished run", () => {
  let experiment: ExperimentFolder;
  let id: string;
  beforeAll(() => {
    experiment = finishedExperiment();
    id = newestRun(experiment.root);
  });
  /** Runs a command in the experiment's folder and gives what it printed. */
  async function output(...args: string[]): Promise<string> {
    const ended = await btx(args, { cwd: experiment.folder });
    expect(ended.code, said(ended)).toBe(0);
    expect(ended.stderr).toBe("");
    return ended.stdout;
  }

  it("`list` shows its name, status and stages, as a table and as JSON", async () => {
    const text = await output("list");
    expect(text).toContain(id);
    expect(text).toContain("tiny");
    const listings = (await output("list", "--json"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(listings).toEqual([
      expect.objectContaining({
        id,
        name: "tiny",
        status: "done",
        stages: 22,
        stagesDone: 22,
        bestLoss: expect.any(Number),
      }),
    ]);
  });

  it("`status` shows every stage, from the folder below and by the run's folder or the beginning of its id", async () => {
    const text = await output("status");
    for (const { name } of readRunRecord(experiment.root, id).stages) expect(text).toContain(name);
    const summary: RunSummary = runSummarySchema.parse(JSON.parse(await output("status", "--json")));
    expect(summary.stages.every(({ status }) => status === "done")).toBe(true);
    const elsewhere = await btx(["status", runPaths(experiment.root, id).folder], { cwd: "/" });
    expect([elsewhere.code, elsewhere.stdout]).toEqual([0, text]);
    expect((await btx(["status", id.slice(0, -1), "--in", experiment.folder], { cwd: "/" })).stdout).toBe(text);
    expect((await btx(["status"], { cwd: join(experiment.folder, "words") })).stdout).toBe(text);
  });

  it("`show` prints the table of models by domain, the figures of its JSON", async () => {
    const text = await output("show");
    const { losses } = runSummarySchema.parse(JSON.parse(await output("show", "--json")));
    for (const byDomain of Object.values(losses)) expect(text).toContain(byDomain.mean!.toFixed(3));
    for (const model of ["Seed", "Expert words", "Expert sums", "BTX", "Average", "Dense", "Upcycling"])
      expect(text.toLowerCase()).toContain(model.toLowerCase());
    expect(text).toContain(runPaths(experiment.root, id).report);
  });

  it("`show` of an unknown run says which there are", async () => {
    const { code, stderr } = await btx(["show", "1999"], { cwd: experiment.folder });
    expect([code, stderr]).toEqual([1, `btx: there is no run 1999 in ${experiment.root}, the newest is ${id}\n`]);
  });

  it("`check` says that the file can be run", async () => {
    expect(await output("check", "tiny.btx.yaml")).toBe("tiny.btx.yaml can be run\n");
    const { problems } = JSON.parse(await output("check", "tiny.btx.yaml", "--json"));
    expect(problems).toEqual([]);
  });

  it("`help` tells of all commands, or of one as its own --help does, and --version which btx this is", async () => {
    const all = await output("help");
    const one = await output("help", "compare");
    for (const text of ["btx run FILE", "btx compare [RUN...]", "Exit codes"]) expect(all).toContain(text);
    expect(one).toMatch(
      /^ {2}btx compare \[RUN\.\.\.\] .*\n +the models of several runs .*\n\nRUN is a run's id[\s\S]*\nExit codes: /,
    );
    expect(one).not.toContain("btx sample");
    expect([await output("compare", "--help"), await output("compare", "x", "-h")]).toEqual([one, one]);
    expect([await output("--help"), await output("help", "help"), await output("help", "-h")]).toEqual([all, all, all]);
    expect(await output("devices", "--help")).not.toContain("RUN");
    expect(await output("--version")).toMatch(/^btx \d+\.\d+\.\d+\n$/);
  });

  it("`devices` names the processor, and says why other devices cannot be used and what to do", async () => {
    const text = await output("devices");
    expect(text).toMatch(/^onnx {2}cpu +yes {2}\S.*, \d+ cores?, [\d.]+ \wB memory \([\d.]+ \wB free\)\n/);
    expect(text).toMatch(/^tfjs {2}tfjs-node-gpu +no {2}.*; .*/m);
    const devices = (await output("devices", "--json")).trimEnd().split("\n");
    expect(devices.map((line) => deviceSchema.parse(JSON.parse(line)))).toContainEqual(
      expect.objectContaining({ engine: "onnx", device: "cpu", usable: true, cores: expect.any(Number) }),
    );
  });

  it("`sample` continues a prompt: greedily the same every time, at random as the random seed says", async () => {
    const sample = (...args: string[]) => output("sample", "--tokens", "24", "--prompt", "branch train", ...args);
    const greedy = await sample("--temperature", "0");
    expect(greedy).toMatch(/^branch train[\s\S]+\n$/);
    expect(await sample("--temperature", "0", "--random-seed", "5")).toBe(greedy);
    const random = await sample("--random-seed", "5");
    expect(await sample("--random-seed", "5")).toBe(random);
    expect(await sample("--random-seed", "6")).not.toBe(random);
    const expert = JSON.parse(await sample("--model", "expert:sums", "--json"));
    expect(expert).toMatchObject({ run: id, model: "expert:sums", prompt: "branch train", text: expect.any(String) });
    expect(expert.tokens.length).toBeGreaterThan(0);
  });

  it("`sample` reads the prompt from standard input, and says when it is too long", async () => {
    const options = { cwd: experiment.folder, input: "branch train" };
    const args = ["sample", "--tokens", "8", "--temperature", "0"];
    const [piped, given] = [await btx(args, options), await output(...args, "--prompt", "branch train")];
    expect(piped.stdout).toBe(given);
    const long = await btx([...args, "--prompt", "x".repeat(40)], options);
    expect([long.code, long.stderr]).toEqual([
      1,
      "btx: the prompt has 40 tokens, but the model's context is 40: shorten the prompt\n",
    ]);
  });

  it.each([
    [["--model", "exprt:words"], 'has no model "exprt:words"; it has seed, expert:words, expert:sums, mix, '],
    [["--model", "evaluate:seed"], 'has no model "evaluate:seed"; it has seed, '],
    [["--temperature", "hot"], '--temperature takes a number from 0 to 100, not "hot"'],
    [["--tokens", "0"], '--tokens takes a whole number of at least 1, not "0"'],
    [["--top-p", "2"], '--top-p takes a number from 0 to 1, not "2"'],
  ])("`sample %j` is refused in one sentence", async (args, sentence) => {
    const ended = await btx(["sample", "--prompt", "x", ...args], { cwd: experiment.folder });
    expect(ended.code, said(ended)).toBe(2);
    expect(ended.stderr).toContain(sentence);
    expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("has a report of one file with the table, curves and routing, that fetches nothing", async () => {
    const report = readFileSync(runPaths(experiment.root, id).report, "utf8");
    const { losses } = await summarizeRun(experiment.root, id);
    for (const { mean } of Object.values(losses)) expect(report).toContain(mean!.toFixed(3));
    expect(report).toMatch(/^<!doctype html>/i);
    expect(report).toContain("<svg");
    expect(report).not.toMatch(/(?:src|href)="(?!#|data:)|@import|url\((?!#|data:)/);
    expect(report).toContain("prefers-color-scheme");
  });
});

describe("`btx run --json`", () => {
  it("prints one valid event a line, and last the result", async () => {
    const { file, folder } = tinyExperiment({
      compare: "[average, upcycling-compute]",
      evaluate: "{tokens: 320, answers: 4}",
    });
    const ended = await btx(["run", file, "--json", "--cores", "1"]);
    expect([ended.code, ended.stderr], said(ended)).toEqual([0, ""]);
    const lines = ended.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const { event, ...last } = lines.pop();
    expect(event).toBe("result");
    const events = lines.map((line) => runEventSchema.parse(line));
    expect(events[0]).toMatchObject({ event: "run", run: last.run, folder: join(folder, ".btx", "runs", last.run) });

    const summary = runSummarySchema.strict().parse(last);
    const names = readRunRecord(join(folder, ".btx"), summary.run).stages.map(({ name }) => name);
    expect(summary.stages.map(({ name }) => name)).toEqual(names);
    for (const name of names) {
      const said = events
        .filter((line) => line.event === "stage" && line.stage === name)
        .map((line) => line.event === "stage" && line.status);
      expect(said, name).toEqual(["running", "done"]);
    }
    for (const stage of summary.stages) {
      expect(stage).toMatchObject({ status: "done", reused: false });
      expect(stage.seconds).toBeGreaterThan(0);
    }
    expect(summary.stages.find(({ name }) => name === "seed")).toMatchObject({ tokens: 3200 });
    const models = ["seed", "expert:words", "expert:sums", "mix", "btx", "average", "upcycling-compute"];
    expect(Object.keys(summary.losses)).toEqual(models);
    for (const { words, sums, mean } of Object.values(summary.losses))
      expect(mean).toBeCloseTo((words! + sums!) / 2, 12);
    // One layer, three experts, two domains; every token goes to two experts.
    expect(summary.routing.map((layer) => layer.map((shares) => shares.length))).toEqual([[2, 2, 2]]);
    for (const domain of [0, 1])
      expect(summary.routing[0]!.reduce((sum, shares) => sum + shares[domain]!, 0)).toBeCloseTo(2, 6);
    // Upcycling of equal compute has the FLOPs of the experts and the finetuning, to the nearest optimizer step.
    const result = (name: string) => {
      const { key } = readRunRecord(join(folder, ".btx"), summary.run).stages.find((stage) => stage.name === name)!;
      return readStageRecord(join(folder, ".btx"), key)!.result!;
    };
    const { flops, steps } = result("upcycling-compute");
    const wanted = ["expert:words", "expert:sums", "finetune"].reduce((sum, name) => sum + result(name).flops!, 0);
    expect(Math.abs(flops! - wanted)).toBeLessThanOrEqual(flops! / steps! / 2);
    // On one core the weights are those of two.
    const { root } = finishedExperiment();
    expect(summary.losses.btx).toEqual((await summarizeRun(root, newestRun(root))).losses.btx);
  });
});

describe("`btx run --random-seed`", () => {
  it("takes the place of the file's, and is kept with the run", async () => {
    const { file, root } = copyOfFinished();
    const summary = await btxSummary(["run", file, "--random-seed", "1"]);
    expect(summary.stages.filter(({ reused }) => !reused)).toEqual([]);
    expect(readRunRecord(root, summary.run).randomSeed).toBe(1);
  });

  it("draws other numbers for every stage that draws any, from the same data", async () => {
    const { file, root } = copyOfFinished();
    const before = newestRun(root);
    writeFileSync(file, experimentText({ compare: "[average]" }));
    const summary = await btxSummary(["run", file, "--random-seed", "7"]);
    expect(summary.stages.filter(({ reused }) => reused).map(({ name }) => name)).toEqual(["data"]);
    expect(summary.losses.seed!.mean).not.toBe((await summarizeRun(root, before)).losses.seed!.mean);
    const other = readRunRecord(root, summary.run);
    expect(other).toMatchObject({ randomSeed: 7, experiment: experimentText({ compare: "[average]" }) });
    const seeds = other.stages.flatMap(({ spec }) => ("randomSeed" in spec ? [spec.randomSeed] : []));
    expect(new Set(seeds).size).toBe(seeds.length);
  });
});
