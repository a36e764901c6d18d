import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, describe, expect, it } from "vitest";
import { stagePaths } from "../../server/runs/layout.ts";
import type { ExperimentFolder } from "../fixtures/experiment.ts";
import { btx, said } from "./btx.ts";
import { readRunRecord, readStageRecord } from "./results.ts";
import { tinyExperiment } from "./scratch.ts";

/** The built command on the oldest Node that package.json names: what that Node lacks is met here and not by a user. */

const oldest = fileURLToPath(new URL("../../node_modules/node-oldest/bin/node", import.meta.url));
/** The package is for this platform only. */
const hasPackage = process.platform === "linux" && process.arch === "x64";
/** The Node that runs the tests can write zstd; the types are those of Node 20. */
const { zstdCompressSync } = zlib as typeof zlib & { zstdCompressSync: (data: Uint8Array) => Buffer };

/** The tiny experiment with the documents of `words` in one Parquet file, and Branch-Train-Merge by both weights. */
function parquetExperiment(): ExperimentFolder {
  const experiment = tinyExperiment({
    domains: `\n  words: {files: words/*.parquet}\n  sums: {files: sums.jsonl, text: "{question}\\n{answer}"}`,
    evaluate: "{tokens: 160}",
    compare: "[btm]",
  });
  const words = join(experiment.folder, "words");
  const texts = Array.from({ length: 12 }, (_, i) => readFileSync(join(words, `${i}.txt`), "utf8"));
  rmSync(words, { recursive: true });
  mkdirSync(words);
  const columnData = [{ name: "text", data: texts, codec: "ZSTD" as const }];
  const compressors = { ZSTD: (data: Uint8Array) => zstdCompressSync(data) };
  writeFileSync(join(words, "words.parquet"), Buffer.from(parquetWriteBuffer({ columnData, compressors })));
  return experiment;
}

describe.skipIf(!hasPackage)("on the oldest Node that package.json names, `btx`", () => {
  let experiment: ExperimentFolder;
  let run: string;
  const on = async (...args: string[]): Promise<string> => {
    const ended = await btx(args, { cwd: experiment.folder, node: oldest });
    expect(ended.code, said(ended)).toBe(0);
    return ended.stdout;
  };

  beforeAll(async () => {
    experiment = parquetExperiment();
    const lines = (await on("run", experiment.file, "--json")).trim().split("\n");
    run = JSON.parse(lines.at(-1)!).run;
  });

  it("is that Node, and every stage's process is", () => {
    const { stdout } = spawnSync(oldest, ["--version"], { encoding: "utf8" });
    const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
    expect(`>=${stdout.trim().slice(1)}`).toBe(`${engines.node}.0`);
    for (const { key, name } of readRunRecord(experiment.root, run).stages)
      expect(readStageRecord(experiment.root, key)?.versions, name).toMatchObject({ node: stdout.trim().slice(1) });
  });

  it("checks an experiment file", async () => {
    expect(await on("check", experiment.file)).toContain("tiny.btx.yaml");
  });

  it("reads Parquet with zstd, and runs everything to Branch-Train-Merge by tf-idf and by Bayes", () => {
    const { stages } = readRunRecord(experiment.root, run);
    expect(stages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["expert:words", "finetune", "btm:tf-idf:1", "btm:bayes:2"]),
    );
    for (const { key, name } of stages) expect(readStageRecord(experiment.root, key)?.status, name).toBe("done");
    const { key } = stages.find(({ name }) => name === "data")!;
    const index = JSON.parse(readFileSync(join(stagePaths(experiment.root, key).folder, "index.json"), "utf8"));
    expect(index.domains.words.train.documents + index.domains.words.heldout.documents).toBe(12);
  });

  it("shows it: status, list, table, comparison and report", async () => {
    expect(await on("status")).toMatch(/finetune/);
    expect(await on("list")).toContain(run);
    expect(await on("show")).toMatch(/btm/i);
    await on("compare");
    expect(readFileSync(join(experiment.root, "runs", run, "report.html"), "utf8")).toMatch(/<\/html>/);
  });

  it("continues a prompt", async () => {
    const text = await on("sample", "--prompt", "branch", "--tokens", "5");
    expect(text.startsWith("branch")).toBe(true);
    expect(Buffer.byteLength(text)).toBeGreaterThan("branch".length);
  });
});
