import { describe, expect, it } from "vitest";
import type { PlannedStage, StageRecord } from "../../../server/protocol/stage.ts";
import { recordsByName } from "../../../server/report/input.ts";
import { costOfStage, lineage } from "../../../server/runs/cost.ts";
import { runFixture } from "../../fixtures/run.ts";

const { run, stages } = runFixture();
const records = recordsByName({ run, stages });
const tokens = (...names: string[]) => names.reduce((sum, name) => sum + records.get(name)!.result!.tokens!, 0);
const experts = ["expert:code", "expert:prose", "expert:math"];

describe("lineage", () => {
  it("is a stage and all it comes from, each once, in the plan's order", () => {
    expect(lineage("finetune", run.stages).map(({ name }) => name)).toEqual([
      "data",
      "seed",
      ...experts,
      "mix",
      "finetune",
    ]);
    expect(lineage("nowhere", run.stages)).toEqual([]);
  });
});

describe("costOfStage", () => {
  const cost = (name: string, of: ReadonlyMap<string, StageRecord> = records, plan: PlannedStage[] = run.stages) =>
    costOfStage(name, plan, of);

  it("tells training beyond the seed from all of it", () => {
    const { tokens: all, beyondSeed, flops, missing } = cost("finetune");
    expect(all).toBe(tokens("seed", ...experts, "finetune"));
    expect(beyondSeed.tokens).toBe(tokens(...experts, "finetune"));
    expect(flops - beyondSeed.flops).toBe(records.get("seed")!.result!.flops);
    expect(missing).toEqual([]);
    expect(cost("seed").beyondSeed).toEqual({ tokens: 0, flops: 0 });
  });

  it("names the stages of which nothing is known", () => {
    const some = new Map([...records].filter(([name]) => name !== "expert:math"));
    const { result: _, ...unfinished } = some.get("seed")!;
    some.set("seed", { ...unfinished, status: "running" });
    expect(cost("finetune", some).missing).toEqual(["seed", "expert:math"]);
    expect(cost("evaluate:finetune", some).missing).toEqual(["seed", "expert:math"]);
    expect(cost("expert:code", some).missing).toEqual(["seed"]);
  });
});
