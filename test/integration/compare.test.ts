import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type ComparisonOfRuns, comparisonSchema } from "../../server/protocol/comparison.ts";
import { runPaths } from "../../server/runs/layout.ts";
import { summarizeRun } from "../../server/runs/summary.ts";
import { type ExperimentFolder, experimentText } from "../fixtures/experiment.ts";
import { btx, btxSummary, said } from "./btx.ts";
import { newestRun, readRunRecord } from "./results.ts";
import { copyOfFinished, finishedExperiment, scratchFolder } from "./scratch.ts";

const json = async (...args: string[]): Promise<ComparisonOfRuns> => {
  const ended = await btx(["compare", "--json", ...args]);
  expect(ended.code, said(ended)).toBe(0);
  return comparisonSchema.parse(JSON.parse(ended.stdout));
};

describe("`btx compare`", () => {
  let finished: ExperimentFolder;
  /** Folder of the finished run. */
  let run: string;
  beforeAll(() => {
    finished = finishedExperiment();
    run = runPaths(finished.root, newestRun(finished.root)).folder;
  });

  it("prints the models of a run, its losses and what training is equal, and writes three files", async () => {
    const out = join(scratchFolder(), "out");
    const ended = await btx(["compare", "--in", finished.folder, "--out", out]);
    expect(ended.code, said(ended)).toBe(0);
    const { losses } = await summarizeRun(finished.root, newestRun(finished.root));
    for (const { mean } of Object.values(losses)) expect(ended.stdout).toContain(mean!.toFixed(3));
    expect(ended.stdout).toMatch(/^Compared at equal tokens: rows marked = /);
    expect(ended.stdout).toMatch(/\nBTX +=/);
    expect(ended.stdout).toMatch(/\nSeed +×0 /);
    expect(ended.stdout).toContain("shares of routed tokens");
    for (const kind of ["csv", "json", "html"]) {
      expect(ended.stdout).toContain(`Written: ${join(out, `comparison.${kind}`)}\n`);
      expect(existsSync(join(out, `comparison.${kind}`))).toBe(true);
    }
  });

  it("gives one row a model for runs that differ in the random seed, in folders of their own, and writes beside the first", async () => {
    const other = copyOfFinished();
    writeFileSync(other.file, experimentText({ randomSeed: "2", compare: undefined }));
    const { run: id } = await btxSummary(["run", other.file]);
    const first = copyOfFinished();
    const comparison = await json(
      runPaths(first.root, newestRun(first.root)).folder,
      runPaths(other.root, id).folder,
      "--equal",
      "flops",
    );
    expect(comparison.rows.every(({ differences }) => differences.length === 0)).toBe(true);
    const names = comparison.rows.map(({ model }) => model);
    expect(new Set(names).size).toBe(names.length);
    const row = (model: string) => comparison.rows.find((one) => one.model === model)!;
    expect(row("btx").samples.map(({ runs }) => runs)).toEqual([[0], [1]]);
    expect(row("dense").samples.map(({ runs }) => runs)).toEqual([[0]]);
    const [one, two] = [await summarizeRun(first.root, newestRun(first.root)), await summarizeRun(other.root, id)].map(
      ({ losses }) => losses.btx!.mean!,
    );
    expect(row("btx").loss.mean.mean).toBeCloseTo((one! + two!) / 2, 12);
    expect(row("btx").loss.mean.deviation).toBeCloseTo(Math.abs(one! - two!) / Math.SQRT2, 12);
    // 3,200 tokens of experts and 1,600 of finetuning; the dense model has the same.
    expect(row("btx").tokens).toMatchObject({ beyondSeed: 4800, total: 8000, ratio: 1 });
    expect(row("dense").tokens).toMatchObject({ beyondSeed: 4800, equal: true });
    expect(row("seed").tokens).toMatchObject({ beyondSeed: 0, total: 3200 });
    expect(comparison.equal).toBe("flops");
    const written = JSON.parse(readFileSync(join(first.root, "compare", "comparison.json"), "utf8"));
    expect(written).toEqual(comparison);
  });

  it("takes a copied run for what it is: the same stages", async () => {
    const copy = copyOfFinished();
    const comparison = await json(run, runPaths(copy.root, newestRun(copy.root)).folder, "--out", scratchFolder());
    expect(comparison.runs).toHaveLength(2);
    expect(comparison.rows.flatMap(({ samples }) => samples.map(({ runs }) => runs))).toEqual(
      comparison.rows.map(() => [0, 1]),
    );
  });

  it("refuses runs of other held-out text, and of other tokenizers unless bits per byte are compared", async () => {
    const copy = copyOfFinished();
    const id = newestRun(copy.root);
    const { folder, record } = runPaths(copy.root, id);
    const out = ["--out", scratchFolder()];
    /** Changes the record, and leaves its digest out, as older versions did. */
    const edit = (change: (text: string) => string) => {
      const { digest: _, ...rest } = JSON.parse(change(readFileSync(record, "utf8")));
      writeFileSync(record, `${JSON.stringify(rest, null, 2)}\n`);
    };
    const [data] = readRunRecord(copy.root, id).stages;
    const { sha256 } = data!.spec.kind === "data" ? data!.spec.domains.sums! : { sha256: "" };
    edit((text) => text.replace('"type": "bytes"', '"type": "bpe", "vocab": 300'));
    const nats = await btx(["compare", run, folder, ...out]);
    expect([nats.code, nats.stderr]).toEqual([1, expect.stringMatching(/their tokenizers differ.+use --bits/)]);
    expect((await json(run, folder, "--bits", ...out)).measure).toBe("bitsPerByte");
    edit((text) => text.replace(sha256, "0".repeat(64)));
    const text = await btx(["compare", run, folder, "--bits", ...out]);
    expect([text.code, text.stderr]).toEqual([
      1,
      expect.stringContaining("their held-out text differs in domain sums (contents of its files)"),
    ]);
  });

  it("says what is wrong with its arguments", async () => {
    const equal = await btx(["compare", run, "--equal", "steps"]);
    expect([equal.code, equal.stderr]).toEqual([2, 'btx: --equal takes "tokens" or "flops", not "steps"\n']);
    const out = await btx(["compare", run, "--out", finished.file]);
    expect([out.code, out.stderr]).toEqual([2, `btx: --out takes a folder, but ${finished.file} is a file\n`]);
    const unknown = await btx(["compare", "1999", "--in", finished.folder]);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("there is no run 1999")]);
  });
});
