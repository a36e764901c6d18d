import { rename } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { planExperiment } from "../../../server/experiment/plan.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { type Plan, plannedStageSchema } from "../../../server/protocol/stage.ts";
import { type Files, folderWith, llamaFiles, parsed } from "./folder.ts";

const files = { "code.txt": "let x = 1;\n", "prose.txt": "Once upon a time.\n", "math.txt": "1 + 1 = 2\n" };
const text = `
domains:
  code: {files: code.txt, tokens: 30k}
  prose: {files: prose.txt, tokens: 10k}
  math: {files: math.txt, tokens: 10k}
seed: {tokens: 100k}
finetune: {tokens: 20k}
mix: {experts: [code, prose, seed]}
compare: [average, dense, btm, upcycling, upcycling-compute]
`;

const planIn = (folder: string, yaml = text, name = "demo.btx.yaml") =>
  planExperiment(parsed(yaml), join(folder, name));
const plan = async (yaml = text, contents: Files = files) => planIn(await folderWith(contents), yaml);
const stage = (stages: Plan, name: string) => stages.find((one) => one.name === name)!;

/** Names of the stages of `after` whose key is not that of the same stage in `before`. */
const changed = (before: Plan, after: Plan): string[] =>
  after.filter(({ name, key }) => stage(before, name)?.key !== key).map(({ name }) => name);

describe("planExperiment", () => {
  it("gives every stage of the paper and of the baselines, each after its parents", async () => {
    const stages = await plan();
    expect(stages.map(({ name }) => name)).toEqual([
      "data",
      "seed",
      "expert:code",
      "expert:prose",
      "expert:math",
      "mix",
      "finetune",
      "average",
      "dense",
      "upcycling:mix",
      "upcycling",
      "upcycling-compute",
      "evaluate:seed",
      "evaluate:expert:code",
      "evaluate:expert:prose",
      "evaluate:expert:math",
      "evaluate:mix",
      "evaluate:finetune",
      "evaluate:average",
      "evaluate:dense",
      "evaluate:upcycling",
      "evaluate:upcycling-compute",
      "btm:tf-idf:1",
      "btm:tf-idf:2",
      "btm:bayes:1",
      "btm:bayes:2",
    ]);
    const done = new Set<string>();
    for (const one of stages) {
      expect(plannedStageSchema.safeParse(one).error).toBeUndefined();
      for (const parent of Object.values(one.parents)) expect(done, one.name).toContain(parent);
      done.add(one.name);
    }
    expect(new Set(stages.map(({ key }) => key)).size).toBe(stages.length);
  });

  it("connects each stage to its parents by role", async () => {
    const stages = await plan();
    const parents = (name: string) => stage(stages, name).parents;
    expect(parents("data")).toEqual({});
    expect(parents("seed")).toEqual({ data: "data" });
    expect(parents("expert:math")).toEqual({ data: "data", model: "seed" });
    const mixed = { "expert:code": "expert:code", "expert:prose": "expert:prose", "expert:seed": "seed" };
    expect(parents("mix")).toEqual(mixed);
    expect(parents("average")).toEqual(mixed);
    expect(parents("finetune")).toEqual({ data: "data", model: "mix" });
    expect(parents("upcycling:mix")).toEqual({
      "expert:copy1": "seed",
      "expert:copy2": "seed",
      "expert:copy3": "seed",
    });
    expect(parents("upcycling")).toEqual({ data: "data", model: "upcycling:mix" });
    expect(parents("evaluate:expert:code")).toEqual({ data: "data", model: "expert:code" });
    expect(parents("upcycling-compute")).toEqual(parents("upcycling"));
    expect(parents("btm:bayes:1")).toEqual({
      data: "data",
      "expert:code": "evaluate:expert:code",
      "expert:prose": "evaluate:expert:prose",
      "expert:seed": "evaluate:seed",
    });
  });

  it("trains the dense and the upcycling baseline on the mixed experts' tokens, then as in finetuning", async () => {
    const stages = await plan();
    for (const name of ["dense", "upcycling"]) {
      const { spec } = stage(stages, name);
      const phases = "phases" in spec ? spec.phases : [];
      expect(phases.map(({ tokens, mixture }) => ({ tokens, mixture }))).toEqual([
        { tokens: 40_000, mixture: { code: 30_000, prose: 10_000 } },
        { tokens: 20_000, mixture: { code: 1, math: 1, prose: 1 } },
      ]);
      expect(phases.map(({ training }) => training.warmup)).toEqual([2, 1]);
    }
  });

  it("has only the baselines that are compared", async () => {
    const stages = await plan(text.replace(/compare: .*/, "compare: [btm]"));
    const names = stages.map(({ name }) => name).filter((name) => !name.startsWith("evaluate:"));
    expect(names.slice(6)).toEqual(["finetune", "btm:tf-idf:1", "btm:tf-idf:2", "btm:bayes:1", "btm:bayes:2"]);
  });

  it("makes ensembles of one and of two experts a token, whatever the router's k", async () => {
    const stages = await plan(text.replace("seed]}", "seed], router: {type: soft}}"));
    const ensembles = stages.flatMap(({ spec }) => (spec.kind === "btm" ? [[spec.weights, spec.k]] : []));
    expect(ensembles).toEqual([
      ["tf-idf", 1],
      ["tf-idf", 2],
      ["bayes", 1],
      ["bayes", 2],
    ]);
    const single = await plan(text.replace("[code, prose, seed]", "[code]"));
    expect(single.flatMap(({ spec }) => (spec.kind === "btm" ? [spec.k] : []))).toEqual([1, 1]);
  });

  it("tells both mixes the router and the parts, and the mix of experts alone what is not for copies", async () => {
    const router = { type: "switch", capacity: 2, loadBalance: 0.01 };
    const split = await plan(text.replace("seed]}", "seed], split: 2, router: {type: switch, capacity: 2}}"));
    for (const name of ["mix", "upcycling:mix"]) expect(stage(split, name).spec).toMatchObject({ router, split: 2 });
    const blended = await plan(text.replace("seed]}", "seed], blend: true}"));
    expect(stage(blended, "mix").spec).toMatchObject({ blend: true });
    expect(stage(blended, "upcycling:mix").key).toBe(stage(await plan(), "upcycling:mix").key);
  });

  it("gives the data to a mix whose routers begin with rows from text", async () => {
    const stages = await plan(text.replace("seed]}", "seed], router: {init: hidden}}"));
    expect(stage(stages, "mix").spec).toMatchObject({ routerInit: { from: "hidden", tokens: 4096 } });
    expect(stage(stages, "mix").parents).toEqual({ data: "data", ...stage(await plan(), "mix").parents });
    expect(stage(stages, "upcycling:mix").key).toBe(stage(await plan(), "upcycling:mix").key);
  });

  it("freezes parameters in finetuning alone", async () => {
    const before = await plan(text.replace(", upcycling-compute]", "]"));
    const frozen = text.replace(", upcycling-compute]", "]").replace("20k}", "20k, freeze: [router, experts]}");
    const after = await plan(frozen);
    expect(changed(before, after)).toEqual(["finetune", "evaluate:finetune"]);
    expect(stage(after, "finetune").spec).toMatchObject({
      phases: [{ training: { freeze: ["experts", "router"], batch: 16 } }],
    });
  });

  it("tells the mix which layers become a Mixture-of-Experts, if not all do", async () => {
    expect(stage(await plan(), "mix").spec).not.toHaveProperty("layers", expect.anything());
    const stages = await plan(`${text}model: {moeLayers: [3, 1]}\n`);
    expect(stage(stages, "mix").spec).toMatchObject({ layers: [1, 3] });
    expect(stage(stages, "upcycling:mix").spec).toMatchObject({ layers: [1, 3] });
  });

  it("gives each stage its own seed of random numbers", async () => {
    const stages = await plan();
    const seeds = stages.flatMap(({ spec }) => ("randomSeed" in spec ? [spec.randomSeed] : []));
    expect(new Set(seeds).size).toBe(10);
    expect(stage(stages, "expert:code").spec).toMatchObject({ randomSeed: 1_807_359_085 });
  });

  it("takes shape, tokenizer and weights of a loaded seed from its folder", async () => {
    const stages = await plan(text.replace("seed: {tokens: 100k}", "seed: {from: llama}\nmodel: {context: 64}"), {
      ...files,
      ...llamaFiles(),
    });
    expect(stage(stages, "seed").spec).toMatchObject({
      phases: [],
      model: { layers: 2, hidden: 64, headSize: 16, kvHeads: 2, ffn: 96, context: 64 },
      from: { path: expect.stringMatching(/llama$/), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(stage(stages, "data").spec).toMatchObject({
      tokenizer: { type: "file", path: expect.stringMatching(/tokenizer\.json$/) },
    });
  });

  it("takes a loaded seed for one and the same whatever the random seed, unlike one that is trained", async () => {
    const folder = { ...files, ...llamaFiles() };
    const loaded = text.replace("seed: {tokens: 100k}", "seed: {from: llama}\nmodel: {context: 64}");
    const keysOf = async (experiment: string) =>
      Object.fromEntries(
        await Promise.all(
          [1, 2].map(async (randomSeed) => {
            const stages = await plan(`${experiment}randomSeed: ${randomSeed}\n`, folder);
            return [randomSeed, ["seed", "evaluate:seed", "finetune"].map((name) => stage(stages, name).key)];
          }),
        ),
      );
    const [same, other] = [await keysOf(loaded), await keysOf(text)];
    expect(same[1]!.slice(0, 2)).toEqual(same[2]!.slice(0, 2));
    expect(same[1]![2]).not.toBe(same[2]![2]);
    expect(other[1]![0]).not.toBe(other[2]![0]);
  });

  it("refuses what cannot be read in one sentence", async () => {
    const missing = plan("domains: {code: {files: none.txt}}\n");
    await expect(missing).rejects.toThrow(UserError);
    await expect(missing).rejects.toThrow(/^domain `code`: .*none\.txt does not exist$/);
    const folder = { ...files, ...llamaFiles() };
    const differing = plan("domains: {code: {files: code.txt}}\nseed: {from: llama}\nmodel: {ffn: 97}\n", folder);
    await expect(differing).rejects.toThrow(/^`model.ffn` is 97, but the seed in .*llama has 96$/);
  });
});

describe("a stage's key", () => {
  it("stays when the file or the experiment is renamed, or the folder moves", async () => {
    const folder = await folderWith(files);
    const before = await planIn(folder);
    expect(changed(before, await planIn(folder, `name: other\n${text}`, "other.btx.yaml"))).toEqual([]);
    const elsewhere = await folderWith(files);
    expect(changed(before, await planIn(elsewhere))).toEqual([]);
    await rename(join(elsewhere, "code.txt"), join(elsewhere, "program.txt"));
    expect(changed(before, await planIn(elsewhere, text.replace("code.txt", "program.txt")))).toEqual([]);
  });

  it("stays for a seed and a tokenizer that move", async () => {
    const seed = (name: string, value = 0) => ({ ...files, ...llamaFiles(name, value) });
    const from = (name: string) => text.replace("seed: {tokens: 100k}", `seed: {from: ${name}}`);
    const before = await plan(from("one"), seed("one"));
    expect(changed(before, await plan(from("two"), seed("two")))).toEqual([]);
    const retrained = await plan(from("one"), seed("one", 1));
    expect(changed(before, retrained)).not.toContain("data");
    expect(changed(before, retrained)).toContain("seed");
  });

  it("stays for other stages when domains are written in another order", async () => {
    const reordered = text.replace(/( {2}code.*\n)( {2}prose.*\n)/, "$2$1");
    expect(changed(await plan(), await plan(reordered))).not.toContain("finetune");
  });

  it("changes for the mixes and what follows them when k changes", async () => {
    expect(changed(await plan(), await plan(text.replace("seed]}", "seed], router: {k: 1}}")))).toEqual([
      "mix",
      "finetune",
      "upcycling:mix",
      "upcycling",
      "upcycling-compute",
      "evaluate:mix",
      "evaluate:finetune",
      "evaluate:upcycling",
      "evaluate:upcycling-compute",
    ]);
  });

  it("changes for every stage when a domain's text changes", async () => {
    const before = await plan();
    const after = await plan(text, { ...files, "math.txt": "1 + 1 = 3\n" });
    expect(changed(before, after)).toEqual(after.map(({ name }) => name));
  });

  it("changes for one expert and what is made of it when a domain overrides a training key", async () => {
    const overridden = text.replace("tokens: 30k}", "tokens: 30k, learningRate: 0.01}");
    const names = changed(await plan(), await plan(overridden));
    expect(names.filter((name) => name.startsWith("expert:"))).toEqual(["expert:code"]);
    expect(names).not.toContain("seed");
    expect(names).not.toContain("dense");
    expect(names).toEqual(expect.arrayContaining(["mix", "finetune", "average", "evaluate:finetune", "btm:bayes:2"]));
  });

  it("changes for the finetuned models alone when finetuning changes", async () => {
    const names = changed(await plan(), await plan(text.replace("20k", "30k")));
    expect(names).toEqual([
      "finetune",
      "dense",
      "upcycling",
      "upcycling-compute",
      "evaluate:finetune",
      "evaluate:dense",
      "evaluate:upcycling",
      "evaluate:upcycling-compute",
    ]);
  });

  it("changes for evaluations alone when they change", async () => {
    const names = changed(await plan(), await plan(`${text}evaluate: {answers: 3}\n`));
    expect(names.every((name) => /^(evaluate|btm):/.test(name))).toBe(true);
    expect(names).toHaveLength(14);
  });
});
