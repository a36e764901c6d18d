import { describe, expect, it } from "vitest";
import { compareResults } from "../../../server/compare/compare.ts";
import { fairness, orderedRows, ratioText, statisticText } from "../../../server/terminal/fairness.ts";
import { resultsFixture } from "../../fixtures/runs.ts";

const amount = (ratio: number, equal = false) => ({ total: 1, beyondSeed: 1, ratio, equal });

describe("statisticText", () => {
  it("is mean ± deviation (seeds), or the value of a single seed", () => {
    expect(statisticText({ mean: 2.5981, deviation: 0.0119, count: 3 }, "loss")).toBe("2.598 ± 0.012 (3)");
    expect(statisticText({ mean: 2.5981, count: 1 }, "loss")).toBe("2.598");
    expect(statisticText({ mean: 0.421, deviation: 0.012, count: 3 }, "exactMatch")).toBe("42.1 ± 1.2 % (3)");
    expect(statisticText({ mean: 0.421, count: 1 }, "exactMatch")).toBe("42.1 %");
    expect(statisticText(undefined, "loss")).toBe("–");
  });
});

describe("ratioText", () => {
  it.each([
    [amount(1.004, true), "="],
    [amount(1.32), "×1.32"],
    [amount(0), "×0"],
    [amount(0.001), "×<0.01"],
    [amount(12.34), "×12.3"],
    [amount(1234), "×1234"],
    [{ total: 1, beyondSeed: 1 }, "–"],
    [undefined, "–"],
  ])("of %o is %s", (value, text) => {
    expect(ratioText(value)).toBe(text);
  });
});

describe("fairness", () => {
  it("says what is held equal, and which rows are so", () => {
    const [head, tokens, flops] = fairness(compareResults([resultsFixture()], { equal: "flops" }));
    expect(head).toMatch(
      /^Compared at equal FLOPs: rows marked = took the same training FLOPs beyond the seed as BTX, [\d.]+ TFLOP within 1 %; ×/,
    );
    expect(tokens).toBe("Equal training tokens: BTX; Dense; Sparse upcycling.");
    expect(flops).toBe("Equal training FLOPs: BTX alone.");
  });

  it("sets training against nothing where no finetuned model is known", () => {
    const run = resultsFixture();
    const records = new Map([...run.records].filter(([name]) => name !== "evaluate:finetune"));
    expect(fairness(compareResults([{ ...run, records }]))).toEqual([
      "Training is not compared, because the training of a finetuned BTX model is unknown.",
    ]);
  });
});

describe("orderedRows", () => {
  it("lists models as a run's table does", () => {
    const comparison = compareResults([resultsFixture()]);
    const rows = orderedRows({ ...comparison, rows: comparison.rows.toReversed() });
    expect(rows.map(({ model }) => model).filter((model) => !model.startsWith("expert:"))).toEqual([
      "seed",
      "average",
      "mix",
      "btx",
      "dense",
      "btm:bayes",
      "btm:tf-idf",
      "upcycling",
    ]);
  });
});
