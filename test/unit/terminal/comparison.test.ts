import { describe, expect, it } from "vitest";
import { bestMean, comparison, headline } from "../../../server/terminal/comparison.ts";
import { runFixture } from "../../fixtures/run.ts";

const { summary } = runFixture();
const withLosses = (losses: Record<string, Record<string, number>>) => ({
  ...summary,
  losses,
  bitsPerByte: {},
  exactMatch: {},
});

describe("comparison", () => {
  it("lists what BTX is made of in the method's order, then BTX, then the baselines", () => {
    expect(comparison(summary).rows.map((row) => row.name)).toEqual([
      "seed",
      "expert:code",
      "expert:prose",
      "expert:math",
      "average",
      "mix",
      "finetune",
      "dense",
      "btm:tf-idf",
      "btm:bayes",
      "upcycling",
    ]);
    expect(comparison(summary).rows.filter((row) => row.baseline).length).toBe(4);
    const baselines = ["dense", "btm:tf-idf:1", "btm:tf-idf:2", "btm:bayes:1", "upcycling", "upcycling-compute"];
    const table = comparison(withLosses(Object.fromEntries(baselines.toReversed().map((name) => [name, { a: 1 }]))));
    expect(new Set(table.rows.map(({ baseline }) => baseline))).toEqual(new Set([true]));
    expect(table.rows.map(({ name }) => name.replace(/:.*/, ""))).toEqual(
      baselines.map((name) => name.replace(/:.*/, "")),
    );
  });

  it("has a column a domain and a mean for each measure, and no mean over a single domain", () => {
    const columns = comparison(summary).columns.map(({ measure, domain }) => `${measure} ${domain}`);
    expect(columns).toEqual([
      ...["code", "prose", "math", "mean"].map((domain) => `nats ${domain}`),
      ...["code", "prose", "math", "mean"].map((domain) => `bitsPerByte ${domain}`),
      "exactMatch math",
    ]);
  });

  it("marks the lowest loss but the highest exact match", () => {
    const table = comparison({
      ...withLosses({ seed: { a: 3, mean: 3 }, finetune: { a: 2, mean: 2 } }),
      exactMatch: { seed: { a: 0.1 }, finetune: { a: 0.4 } },
    });
    for (const column of table.columns) expect([...column.best]).toEqual([1]);
  });

  it("marks all models that are level as printed, and none when every one is", () => {
    const tied = comparison(withLosses({ seed: { a: 3 }, mix: { a: 2.00041 }, finetune: { a: 2.00002 } }));
    expect([...(tied.columns[0]?.best ?? [])]).toEqual([1, 2]);
    const level = comparison(withLosses({ seed: { a: 3 }, finetune: { a: 3 } }));
    expect(level.columns[0]?.best.size).toBe(0);
  });

  it("leaves a gap where a model was not measured on a domain", () => {
    const table = comparison(withLosses({ seed: { a: 3, b: 4, mean: 3.5 }, finetune: { a: 2, b: Number.NaN } }));
    expect(table.columns.map((column) => column.values)).toEqual([
      [3, 2],
      [4, undefined],
      [3.5, undefined],
    ]);
  });

  it("takes names that objects also have for ordinary names", () => {
    const losses = JSON.parse('{"constructor":{"toString":2},"seed":{"toString":3}}');
    const table = comparison(withLosses(losses));
    expect(table.rows.map((row) => row.label)).toEqual(["Seed", "constructor"]);
    expect(table.columns[0]?.values).toEqual([3, 2]);
  });

  it("says whose lowest mean it found", () => {
    expect(bestMean(summary)?.name).toBe("finetune");
    expect(bestMean(withLosses({}))).toBeUndefined();
  });
});

describe("headline", () => {
  it("sets BTX against the best expert", () => {
    const losses = {
      seed: { mean: 2.6 },
      "expert:code": { mean: 2.43 },
      "expert:math": { mean: 2.7 },
      finetune: { mean: 2.31 },
    };
    expect(headline(withLosses(losses))).toBe(
      "BTX: mean held-out loss 2.310 nats per token, 0.120 below the best expert (code, 2.430).",
    );
  });

  it("says so when BTX is worse or level", () => {
    expect(headline(withLosses({ "expert:a": { mean: 2 }, finetune: { mean: 2.5 } }))).toContain(
      "0.500 above the best expert",
    );
    expect(headline(withLosses({ "expert:a": { mean: 2 }, finetune: { mean: 2 } }))).toContain(
      "level with the best expert",
    );
  });

  it("falls back on the mix, on the seed and on nothing", () => {
    expect(headline(withLosses({ mix: { mean: 2.5 }, seed: { mean: 3 } }))).toBe(
      "Mix, not finetuned: mean held-out loss 2.500 nats per token, 0.500 below the seed (3.000).",
    );
    expect(headline(withLosses({ seed: { mean: 3 } }))).toContain("No mixed model has been evaluated yet");
    expect(headline(withLosses({}))).toBe("No model of this run has been evaluated yet.");
  });
});
