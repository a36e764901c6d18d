import { describe, expect, it } from "vitest";
import { stageSpecSchema } from "../../../server/protocol/stage.ts";
import {
  evaluationOf,
  isBaseline,
  kindOfName,
  measuredStage,
  mixedKinds,
  modelLabel,
  modelOfStage,
  modelOrder,
  modelStages,
  ownModel,
  sectionOf,
  stageKinds,
  stageOfModel,
} from "../../../server/protocol/stageKinds.ts";
import { runFixture } from "../../fixtures/run.ts";

const plan = runFixture().run.stages;
const named = (name: string) => plan.find((stage) => stage.name === name)!;

describe("the table of stage kinds", () => {
  it("has every kind that a spec can have, and says that it trains where the spec has phases", () => {
    const phases = new Map(stageSpecSchema.options.map(({ shape }) => [shape.kind.value, "phases" in shape]));
    const trains = Object.entries(stageKinds).map(([kind, facts]) => [kind, facts.trains] as const);
    expect(new Map(trains)).toEqual(phases);
  });

  it("tells the kind and the section from a stage's name, whatever follows it", () => {
    const told = ["data", "seed", "expert:a:b", "mix", "btx", "upcycling-compute", "btm:bayes:2", "evaluate:expert:a"];
    expect(told.map((name) => [kindOfName(name), sectionOf(name)])).toEqual([
      ["data", "domains"],
      ["seed", "seed"],
      ["expert", "experts"],
      ["mix", "mix"],
      ["finetune", "finetune"],
      ["upcycling", "compare"],
      ["btm", "compare"],
      ["evaluate", "evaluate"],
    ]);
    for (const name of ["", "constructor", "later:1"])
      expect([kindOfName(name), sectionOf(name)]).toEqual([undefined, undefined]);
  });

  it("lists models that have experts with those that are trained first", () => {
    expect(mixedKinds).toEqual(["finetune", "upcycling", "mix"]);
  });
});

describe("models", () => {
  it("have the names of their stages, but for the finetuned mixture, there and back", () => {
    expect([ownModel, modelOfStage("finetune"), stageOfModel("btx")]).toEqual(["btx", "btx", "finetune"]);
    for (const name of ["seed", "expert:code", "upcycling-compute", "btm:bayes:2", "toString"])
      expect([modelOfStage(name), stageOfModel(name)]).toEqual([name, name]);
  });

  it("are listed in the method's order, then the baselines, then unknown names", () => {
    expect(modelOrder(["later", "dense", "seed"])).toEqual(["seed", "dense", "later"]);
    const models = ["seed", "expert:a", "expert:b", "average", "mix", "btx", "dense", "btm:tf-idf:1", "btm:bayes:1"];
    const all = [...models, "upcycling", "upcycling-compute"];
    expect(modelOrder(["upcycling-compute", "upcycling", ...models])).toEqual(all);
    expect(all.filter(isBaseline)).toEqual(all.slice(6));
  });

  it("are called by what they are: ensembles by their weights and experts a token", () => {
    const labels: Record<string, string> = {
      seed: "Seed",
      "expert:code": "Expert code",
      "expert:a:b": "Expert a:b",
      mix: "Mix, not finetuned",
      btx: "BTX",
      finetune: "BTX",
      "btm:tf-idf:1": "BTM, tf-idf, top-1",
      "btm:bayes:2": "BTM, Bayes, top-2",
      "btm:tf-idf": "BTM, tf-idf",
      upcycling: "Sparse upcycling",
      "upcycling-compute": "Sparse upcycling, equal compute",
    };
    for (const [name, label] of Object.entries(labels)) expect(modelLabel(name)).toBe(label);
    const unknown = ["btm:other:1", "btm", "btm:bayes:2:3", "constructor", "data", "expert", "upcycling:mix", "later"];
    for (const name of unknown) expect(modelLabel(name)).toBe(name);
  });

  it("are measured by their evaluations, ensembles by themselves", () => {
    expect(measuredStage(named("evaluate:finetune"))).toBe("finetune");
    expect(measuredStage(named("btm:tf-idf"))).toBe("btm:tf-idf");
    for (const name of ["data", "seed", "mix"]) expect(measuredStage(named(name))).toBeUndefined();
    expect(evaluationOf("mix", plan)?.name).toBe("evaluate:mix");
    expect(evaluationOf("btm:tf-idf", plan)).toBeUndefined();
    expect(modelStages(plan).map(({ spec }) => spec.kind)).not.toContain("btm");
    expect(modelStages(plan)).toContain(named("finetune"));
  });
});
