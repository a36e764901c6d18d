import { describe, expect, it } from "vitest";
import { differences } from "../../../server/compare/differences.ts";
import { settings } from "../../../server/compare/settings.ts";
import { trainingConfig } from "../../../server/experiment/phases.ts";
import type { RouterConfig } from "../../../server/protocol/model.ts";
import type { Phase, PlannedStage, StageSpec } from "../../../server/protocol/stage.ts";
import { configuration } from "../../../server/terminal/settings.ts";
import { changing, resultsFixture } from "../../fixtures/runs.ts";

type Change = (stage: PlannedStage) => StageSpec;
const none: Change = ({ spec }) => spec;

/** What is said of the model that `stage` makes in runs with these changes. */
const said = (stage: string, ...changes: Change[]) => {
  const rows = changes.map((change, at) => resultsFixture({ randomSeed: at, change }).record.stages);
  const found = differences(rows.map((plan) => settings(stage, plan)));
  const model = stage === "finetune" ? "btx" : stage;
  return found.map((list) => configuration({ model, differences: list }).join(", "));
};
const router = (config: RouterConfig) => changing("mix", (spec) => ({ ...spec, router: config }));
const topK = (k: number): RouterConfig => ({ type: "top-k", k, loadBalance: 0.01 });
const switched: RouterConfig = { type: "switch", capacity: 1.5, loadBalance: 0.01 };

/** Changes phases of training stages that `of` picks. */
const phases =
  (of: (stage: PlannedStage) => boolean, edit: (phase: Phase) => Phase): Change =>
  (stage) =>
    of(stage) && "phases" in stage.spec ? { ...stage.spec, phases: stage.spec.phases.map(edit) } : stage.spec;
const isFinetune = ({ spec }: PlannedStage) => spec.kind === "finetune";
const isExpert = ({ spec }: PlannedStage) => spec.kind === "expert";
const training = (edit: Partial<Phase["training"]>) => (phase: Phase) => ({
  ...phase,
  training: { ...phase.training, ...edit },
});

describe("differences", () => {
  it("are none between runs that differ in random seeds only, wherever their files lie", () => {
    const moved = changing("data", (spec) => ({
      ...spec,
      domains: Object.fromEntries(
        Object.entries(spec.domains).map(([name, domain]) => [name, { ...domain, files: ["/b.txt"] }]),
      ),
    }));
    expect(said("finetune", none, moved, none)).toEqual(["", "", ""]);
    expect(said("finetune", none)).toEqual([""]);
  });

  it("name a router by its type, and its keys only where routers of one type differ in them", () => {
    expect(said("finetune", none, router(switched))).toEqual(["router top-k", "router switch"]);
    expect(said("finetune", none, router(topK(1)), router(switched))).toEqual([
      "router top-k, k 2",
      "router top-k, k 1",
      "router switch",
    ]);
    expect(said("finetune", router(topK(1)), router(topK(3)))).toEqual(["k 1", "k 3"]);
    expect(said("finetune", none, router({ ...topK(2), loadBalance: 0 } as RouterConfig))).toEqual([
      "load balance 0.01",
      "load balance 0",
    ]);
  });

  it("name what a router has besides its type, though no other type has it", () => {
    const both = router({ ...switched, zLoss: 0.001, balance: "switch" });
    expect(said("finetune", none, both)).toEqual(["router top-k", "router switch, z-loss 0.001, balance switch"]);
    const before = router({ ...topK(2), softmax: "before" } as RouterConfig);
    expect(said("finetune", before, router(switched))).toEqual(["router top-k, softmax before", "router switch"]);
  });

  it("name where routers' rows come from, and from how many tokens only where that differs", () => {
    const init = (from: "domains" | "hidden", tokens: number) =>
      changing("mix", (spec) => ({ ...spec, routerInit: { from, tokens } }));
    expect(said("mix", none, init("domains", 4096), init("hidden", 4096))).toEqual([
      "",
      "router init domains",
      "router init hidden",
    ]);
    expect(said("mix", init("domains", 1000), init("hidden", 2000))).toEqual([
      "router init domains, router init 1k tokens",
      "router init hidden, router init 2k tokens",
    ]);
    expect(said("mix", none, init("domains", 1000))).toEqual(["", "router init domains"]);
    expect(said("mix", init("hidden", 1000), init("hidden", 4096))).toEqual([
      "router init 1k tokens",
      "router init 4,096 tokens",
    ]);
  });

  it("keep in the list what follows from another difference, and say so", () => {
    const rows = [none, router(switched)].map((change) =>
      settings("finetune", resultsFixture({ change }).record.stages),
    );
    const [first, second] = differences(rows);
    expect(first).toEqual([
      { stage: "mix", key: "router.type", value: "top-k" },
      { stage: "mix", key: "router.k", value: 2, implied: true },
    ]);
    expect(second).toContainEqual({ stage: "mix", key: "router.capacity", value: 1.5, implied: true });
  });

  it("list what only some have in these: split, with its K, and frozen parameters", () => {
    const split = changing("mix", (spec) => ({ ...spec, split: 2, router: topK(4) }));
    expect(said("finetune", none, split)).toEqual(["", "split 2"]);
    const splitTop2 = changing("mix", (spec) => ({ ...spec, split: 2 }));
    expect(said("finetune", none, split, splitTop2)).toEqual(["k 2", "k 4, split 2", "k 2, split 2"]);
    expect(said("finetune", none, phases(isFinetune, training({ freeze: ["experts"] })))).toEqual([
      "",
      "freeze experts",
    ]);
    expect(
      said(
        "finetune",
        none,
        changing("mix", (spec) => ({ ...spec, blend: true })),
      ),
    ).toEqual(["", "blend"]);
  });

  it("name the stage whose tokens differ, and leave out a warm-up that follows from them", () => {
    const tokens = (count: number): Change =>
      phases(isFinetune, (phase) => ({
        ...phase,
        tokens: count,
        training: trainingConfig({ batch: 8 }, count, 128),
      }));
    expect(said("finetune", tokens(1_000_000), tokens(2_000_000))).toEqual([
      "finetune 1M tokens",
      "finetune 2M tokens",
    ]);
    expect(said("finetune", tokens(1_234_567), tokens(1_234_568))).toEqual([
      "finetune 1,234,567 tokens",
      "finetune 1,234,568 tokens",
    ]);
    const given = phases(isFinetune, (phase) => ({
      ...phase,
      tokens: 2_000_000,
      training: { ...trainingConfig({ batch: 8 }, 2_000_000, 128), warmup: 7 },
    }));
    expect(said("finetune", tokens(1_000_000), given)).toEqual([
      "finetune 1M tokens, finetune warm-up 97",
      "finetune 2M tokens, finetune warm-up 7",
    ]);
  });

  it("say once what differs in all experts or in all training alike, and name a single expert", () => {
    const rate = (of: (stage: PlannedStage) => boolean) => phases(of, training({ learningRate: 0.002 }));
    expect(
      said(
        "finetune",
        none,
        rate(() => true),
      ),
    ).toEqual(["learning rate 0.001", "learning rate 0.002"]);
    expect(said("finetune", none, rate(isExpert))).toEqual([
      "experts learning rate 0.001",
      "experts learning rate 0.002",
    ]);
    expect(
      said(
        "finetune",
        none,
        rate(({ name }) => name === "expert:code"),
      ),
    ).toEqual(["expert code learning rate 0.001", "expert code learning rate 0.002"]);
  });

  it("name the phase of a model with several, and not the model itself", () => {
    const last: Change = ({ spec }) =>
      spec.kind === "dense"
        ? {
            ...spec,
            phases: spec.phases.map((phase, at) =>
              at === spec.phases.length - 1 ? { ...phase, tokens: 64_000 } : phase,
            ),
          }
        : spec;
    expect(said("dense", none, last)).toEqual(["phase 4: 512k tokens", "phase 4: 64k tokens"]);
  });

  it("see proportions of a mixture, not its scale", () => {
    const weights = (mixture: Record<string, number>) => phases(isFinetune, (phase) => ({ ...phase, mixture }));
    expect(said("finetune", weights({ code: 1, prose: 1, math: 2 }), weights({ math: 4, prose: 2, code: 2 }))).toEqual([
      "",
      "",
    ]);
    expect(said("finetune", weights({ code: 1, math: 1 }), weights({ code: 3, math: 1 }))).toEqual([
      "finetune mixture code 0.5, math 0.5",
      "finetune mixture code 0.75, math 0.25",
    ]);
  });

  it("say which experts a mix is made of, and nothing more of those it lacks", () => {
    const rows = [none, none].map((change) => resultsFixture({ change }).record.stages);
    const smaller = rows[1]!.map((stage): PlannedStage => {
      if (stage.spec.kind !== "mix") return stage;
      const { "expert:math": _, ...parents } = stage.parents;
      return { ...stage, parents, spec: { ...stage.spec, experts: ["code", "prose", "seed"] } };
    });
    const found = differences([settings("finetune", rows[0]!), settings("finetune", smaller)]);
    expect(found.map((list) => configuration({ model: "btx", differences: list }))).toEqual([
      ["experts code, prose, math, seed"],
      ["experts code, prose, seed"],
    ]);
  });

  it("name sizes of the model and a seed's checkpoint without its path", () => {
    const wider = changing("seed", (spec) => ({ ...spec, model: { ...spec.model, hidden: 256 } }));
    expect(said("expert:code", none, wider)).toEqual(["hidden 128", "hidden 256"]);
    const from = (path: string, sha256: string) =>
      changing("seed", (spec) => ({ ...spec, phases: [], from: { path, sha256 } }));
    expect(said("seed", from("/a", "a".repeat(64)), from("/b", "b".repeat(64)))).toEqual([
      "checkpoint aaaaaaaa",
      "checkpoint bbbbbbbb",
    ]);
    expect(said("seed", from("/a", "a".repeat(64)), from("/b", "a".repeat(64)))).toEqual(["", ""]);
  });
});
