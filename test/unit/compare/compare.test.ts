import { describe, expect, it } from "vitest";
import { compareResults } from "../../../server/compare/compare.ts";
import type { RunResults } from "../../../server/compare/results.ts";
import { type ComparedRow, type ComparisonOfRuns, comparisonSchema } from "../../../server/protocol/comparison.ts";
import { changing, resultsFixture } from "../../fixtures/runs.ts";

const seeds = (...shifts: number[]) => shifts.map((shift, at) => resultsFixture({ randomSeed: at + 1, shift }));
const rowsOf = ({ rows }: ComparisonOfRuns, model: string): ComparedRow[] => rows.filter((row) => row.model === model);
const only = (comparison: ComparisonOfRuns, model: string): ComparedRow => {
  const rows = rowsOf(comparison, model);
  expect(rows).toHaveLength(1);
  return rows[0]!;
};
const splitMix = changing("mix", (spec) => ({ ...spec, split: 2 }));
const withoutRecord = (run: RunResults, name: string): RunResults => ({
  ...run,
  records: new Map([...run.records].filter(([stage]) => stage !== name)),
});

describe("compareResults", () => {
  it("puts runs that differ in random seeds into one row a model, with mean, deviation and every seed's values", () => {
    const comparison = comparisonSchema.parse(compareResults(seeds(0, 0.1, 0.5)));
    expect(comparison.rows.map(({ model }) => model)).toEqual([
      "seed",
      "expert:code",
      "expert:prose",
      "expert:math",
      "average",
      "mix",
      "btx",
      "dense",
      "upcycling",
      "btm:tf-idf",
      "btm:bayes",
    ]);
    const { loss, samples, differences } = only(comparison, "btx");
    const base = samples[0]!.nats.code!;
    expect(samples.map(({ nats, runs }) => [nats.code! - base, runs])).toEqual([
      [0, [0]],
      [expect.closeTo(0.1, 9), [1]],
      [expect.closeTo(0.5, 9), [2]],
    ]);
    expect(new Set(samples.map(({ key }) => key)).size).toBe(3);
    expect(loss.domains.code).toMatchObject({ mean: expect.closeTo(base + 0.2, 9), count: 3 });
    // Around 0.2: 0.04 + 0.01 + 0.09 = 0.14, over 2.
    expect(loss.domains.code!.deviation).toBeCloseTo(Math.sqrt(0.07), 9);
    const { code, prose, math, mean } = samples[0]!.nats;
    expect(mean).toBeCloseTo((code! + prose! + math!) / 3, 9);
    expect(differences).toEqual([]);
    expect(comparison.notes).toEqual([]);
  });

  it("takes a stage that several runs share once, and a run that is named twice once", () => {
    const [one, two] = [resultsFixture(), resultsFixture({ id: "20260305-000000", change: splitMix })];
    const comparison = compareResults([one, two, one]);
    expect(comparison.runs).toHaveLength(2);
    expect(only(comparison, "seed").samples).toEqual([expect.objectContaining({ runs: [0, 1] })]);
    expect(only(comparison, "dense").loss.mean).not.toHaveProperty("deviation");
    expect(rowsOf(comparison, "btx").map(({ samples }) => samples.map(({ runs }) => runs))).toEqual([[[0]], [[1]]]);
    expect(rowsOf(comparison, "btx").map(({ differences }) => differences)).toEqual([
      [],
      [{ stage: "mix", key: "split", value: 2 }],
    ]);
  });

  it("knows a model's stage by its key in another `.btx` folder too", () => {
    const comparison = compareResults([resultsFixture(), resultsFixture({ place: "elsewhere" })]);
    expect(comparison.runs.map(({ folder }) => folder)).toHaveLength(2);
    expect(comparison.rows.every(({ samples }) => samples.length === 1)).toBe(true);
  });

  it("marks the best of each column, and says when noise is unknown", () => {
    const comparison = compareResults(seeds(0));
    for (const column of [...comparison.domains, "mean"]) {
      const values = comparison.rows.map(({ loss }) => (column === "mean" ? loss.mean : loss.domains[column]!));
      const least = Math.min(...values.map(({ mean }) => mean));
      expect(values.find(({ standing }) => standing === "best")?.mean).toBeCloseTo(least, 3);
      expect(values.every(({ standing }) => standing === "best" || standing === "unknown")).toBe(true);
    }
    const most = Math.max(...comparison.rows.map(({ exactMatch }) => exactMatch!.mean.mean));
    expect(comparison.rows.find(({ exactMatch }) => exactMatch?.mean.standing === "best")?.exactMatch?.mean.mean).toBe(
      most,
    );
    expect(comparison.notes).toEqual([expect.stringContaining("single random seed is unknown")]);
    const noisy = compareResults(seeds(0, 0.3, 0.6));
    // BTX and dense are 0.09 apart, the deviation over seeds is 0.3.
    expect(only(noisy, "btx").loss.mean.standing).toBe("best");
    expect(only(noisy, "dense").loss.mean.standing).toBe("not-different");
    expect(only(compareResults(seeds(0, 0.001, 0.002)), "dense").loss.mean.standing).toBe("worse");
  });

  it("sets training beyond the seed against that of BTX", () => {
    const comparison = compareResults(seeds(0, 0.1));
    // The seed has 1000 steps, each of three experts and the finetuning 500, of 1024 tokens.
    const [step, btx] = [1024, only(comparison, "btx")];
    expect(comparison.rows[comparison.reference!]).toBe(btx);
    expect(btx.tokens).toEqual({ total: 3000 * step, beyondSeed: 2000 * step, ratio: 1, equal: true });
    expect(only(comparison, "seed").tokens).toEqual({ total: 1000 * step, beyondSeed: 0, ratio: 0, equal: false });
    expect(only(comparison, "dense").tokens).toMatchObject({ ratio: 1, equal: true });
    expect(only(comparison, "btm:bayes").tokens).toMatchObject({ ratio: 0.75, equal: false });
    // FLOPs: dense at 0.91M active parameters throughout, BTX at 1.65M in the last quarter.
    const { flops } = only(comparison, "dense");
    expect(flops!.ratio).toBeCloseTo((2000 * 0.91) / (1500 * 0.91 + 500 * 1.65), 9);
    expect(flops!.equal).toBe(false);
  });

  it("calls amounts equal within a hundredth", () => {
    const tokens = (share: number): RunResults => {
      const run = resultsFixture();
      const dense = run.records.get("dense")!;
      const result = { ...dense.result, tokens: dense.result!.tokens! * share };
      return { ...run, records: new Map([...run.records, ["dense", { ...dense, result }]]) };
    };
    for (const [share, equal] of [
      [1.009, true],
      [1.011, false],
      [0.991, true],
      [0.989, false],
    ] as const)
      expect(only(compareResults([tokens(share)]), "dense").tokens?.equal, String(share)).toBe(equal);
  });

  it("gives seconds as a mean over seeds, added over the lineage", () => {
    const runs = seeds(0, 0);
    const comparison = compareResults(runs);
    const seconds = (run: RunResults, ...names: string[]) =>
      names.reduce((sum, name) => sum + run.records.get(name)!.seconds, 0);
    const mean = runs.reduce((sum, run) => sum + seconds(run, "seed", "expert:code"), 0) / 2;
    expect(only(comparison, "expert:code").seconds).toBeCloseTo(mean, 9);
  });

  it("compares bits per byte where they are asked for", () => {
    const comparison = compareResults(seeds(0, 0.1), { measure: "bitsPerByte", equal: "flops" });
    const { loss, samples } = only(comparison, "btx");
    expect(loss.mean.mean).toBeCloseTo((samples[0]!.bitsPerByte.mean! + samples[1]!.bitsPerByte.mean!) / 2, 12);
    expect([comparison.measure, comparison.equal]).toEqual(["bitsPerByte", "flops"]);
  });

  it("says nothing of training where a record of the lineage is gone, and takes another seed's that is there", () => {
    const [one, two] = seeds(0, 0.1);
    const alone = compareResults([withoutRecord(one!, "expert:code")]);
    expect(only(alone, "btx")).not.toHaveProperty("tokens");
    expect(only(alone, "btx")).not.toHaveProperty("seconds");
    expect(only(alone, "dense").tokens).not.toHaveProperty("ratio");
    expect(alone.notes).toContainEqual(expect.stringContaining("training of some models is unknown"));
    expect(only(compareResults([withoutRecord(one!, "expert:code"), two!]), "btx").tokens?.ratio).toBe(1);
  });

  it("leaves out what is not evaluated yet, and runs without any model do not matter", () => {
    const [one, two] = seeds(0, 0.1);
    const unfinished = withoutRecord(two!, "evaluate:finetune");
    expect(only(compareResults([one!, unfinished]), "btx").samples).toHaveLength(1);
    const begun = { ...resultsFixture({ id: "20260309-000000", domains: ["other"] }), records: new Map() };
    const comparison = compareResults([one!, begun]);
    expect(comparison.runs.map(({ models }) => models)).toEqual([11, 0]);
    const nothing = comparisonSchema.parse(compareResults([begun]));
    expect([nothing.rows, nothing.domains, nothing.reference]).toEqual([[], [], undefined]);
  });

  it("says that runs begin from different seeds, which are rows of their own", () => {
    const wider = changing("seed", (spec) => ({ ...spec, model: { ...spec.model, hidden: 256 } }));
    const comparison = compareResults([resultsFixture(), resultsFixture({ id: "20260305-000000", change: wider })]);
    expect(rowsOf(comparison, "seed")).toHaveLength(2);
    expect(comparison.notes).toContainEqual(expect.stringContaining("do not start from the same seed"));
  });

  it("gives the routing of mixtures", () => {
    const { routing } = only(compareResults(seeds(0, 0.1)), "btx");
    expect(routing?.experts).toEqual(["code", "prose", "math", "seed"]);
    for (const domain of [0, 1, 2])
      expect(routing!.share.reduce((sum, domains) => sum + domains[domain]!, 0)).toBeCloseTo(1, 9);
    expect(only(compareResults(seeds(0)), "dense")).not.toHaveProperty("routing");
  });
});
