import { describe, expect, it } from "vitest";
import { costOf } from "../../../server/report/input.ts";
import { runFixture } from "../../fixtures/run.ts";

const input = runFixture();
const tokensOf = (...names: string[]) =>
  names.reduce((sum, name) => sum + (input.stages.find((record) => record.name === name)?.result?.tokens ?? 0), 0);

describe("costOf", () => {
  it("counts every stage that a model comes from once, and no evaluation", () => {
    expect(costOf("seed", input)?.tokens).toBe(tokensOf("seed"));
    expect(costOf("expert:code", input)?.tokens).toBe(tokensOf("seed", "expert:code"));
    const experts = ["expert:code", "expert:prose", "expert:math"];
    expect(costOf("finetune", input)?.tokens).toBe(tokensOf("seed", ...experts, "finetune"));
    expect(costOf("btm:bayes", input)?.tokens).toBe(tokensOf("seed", ...experts));
  });

  it("gives data-matched baselines the tokens of the finished model", () => {
    for (const name of ["dense", "upcycling"])
      expect(costOf(name, input)?.tokens).toBe(costOf("finetune", input)?.tokens);
  });

  it("takes a stage's record by its key, whatever name an earlier run gave it", () => {
    const stages = input.stages.map((record) => ({ ...record, name: "of another run" }));
    expect(costOf("finetune", { ...input, stages })).toEqual(costOf("finetune", input));
  });

  it("knows nothing of a model that no stage made", () => {
    expect(costOf("elsewhere", input)).toBeUndefined();
  });
});
