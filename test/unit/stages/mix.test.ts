import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../../../server/engine/onnx/compile.ts";
import { Store } from "../../../server/engine/store.ts";
import { startValues } from "../../../server/model/startValues.ts";
import { logits } from "../../../server/model/transformer.ts";
import { named, type Program } from "../../../server/ops/program.ts";
import { matrix } from "../../../server/parameters/declaration.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import type { MixSpec } from "../../../server/protocol/stage.ts";
import { average, mix } from "../../../server/stages/mix.ts";
import type { Parameters } from "../../../server/stages/model.ts";
import { ints } from "../../fixtures/engine.ts";
import { contextOf, randomModel, savedModel, stageWithModel, tiny, tokenizerFolder } from "./support.ts";

const biased: ModelConfig = { ...tiny, vocab: 19, attentionBias: true, ffnBias: true };
const names = ["code", "prose", "seed"];

const mixSpec = (experts: string[], more: Partial<MixSpec> = {}): MixSpec => ({
  kind: "mix",
  experts,
  router: { type: "top-k", k: 2, loadBalance: 0.01 },
  randomSeed: 7,
  ...more,
});

/** Stages that left the models behind, as parents of a stage that merges them. */
async function parentsOf(config: ModelConfig, models: Parameters[], experts = names) {
  const folders = await Promise.all(models.map((model) => stageWithModel(config, model)));
  return Object.fromEntries(experts.map((name, i) => [`expert:${name}`, folders[i]!]));
}

async function mixed(config: ModelConfig, models: Parameters[], spec: MixSpec) {
  const context = contextOf(spec, { parents: await parentsOf(config, models, spec.experts) });
  const result = await mix(context);
  return { result, ...(await savedModel(context)) };
}

const bits = (data: ArrayLike<number>): Uint32Array => new Uint32Array(Float32Array.from(data).buffer);

/** The mean of one tensor, summed from the last model to the first. */
function mean(models: Parameters[], name: string): number[] {
  const all = models.map((model) => model.get(name)!.data).reverse();
  return Array.from(all[0]!, (_, i) => all.reduce((sum, data) => sum + data[i]!, 0) / all.length);
}

const threeModels = (config: ModelConfig) => [1, 2, 3].map((seed) => randomModel(config, seed));

/** [ours, in the mixture], by the names Hugging Face's Llama and Mixtral give them. */
const feedForward = [
  ["gate_proj", "w1"],
  ["up_proj", "w3"],
  ["down_proj", "w2"],
] as const;

test("mix keeps each model's feed-forward blocks as experts, bit for bit, biases included", async () => {
  const models = threeModels(biased);
  const { config, tensors } = await mixed(biased, models, mixSpec(names));
  expect(config.moe).toEqual({ experts: names, layers: [0, 1], router: mixSpec(names).router });
  for (const layer of [0, 1]) {
    for (const [expert, model] of models.entries()) {
      for (const [part, inMixture] of feedForward) {
        for (const kind of ["weight", "bias"]) {
          const source = model.get(`model.layers.${layer}.mlp.${part}.${kind}`)!;
          const kept = tensors.get(`model.layers.${layer}.block_sparse_moe.experts.${expert}.${inMixture}.${kind}`)!;
          expect(kept.shape).toEqual(source.shape);
          expect(bits(kept.data)).toEqual(bits(source.data));
        }
      }
    }
  }
});

test("mix makes every other parameter the mean over the models, bit for bit, and nothing else but routers", async () => {
  const models = threeModels(biased);
  const { tensors } = await mixed(biased, models, mixSpec(names));
  const averaged = [...tensors.keys()].filter((name) => !name.includes("block_sparse_moe"));
  expect(averaged.sort()).toEqual([...models[0]!.keys()].filter((name) => !name.includes(".mlp.")).sort());
  for (const name of averaged) expect(bits(tensors.get(name)!.data)).toEqual(bits(mean(models, name)));
  const routers = [...tensors.keys()].filter((name) => name.includes("moe") && !name.includes("experts"));
  expect(routers).toEqual([0, 1].map((layer) => `model.layers.${layer}.block_sparse_moe.gate.weight`));
});

test("mix draws a new router a layer, which depends on its seed of random numbers only", async () => {
  const routersOf = async (seeds: number[], randomSeed: number) => {
    const models = seeds.map((seed) => randomModel(tiny, seed));
    const { tensors } = await mixed(tiny, models, mixSpec(["a", "b"], { randomSeed }));
    return [0, 1].map((layer) => tensors.get(`model.layers.${layer}.block_sparse_moe.gate.weight`)!);
  };
  const routers = await routersOf([1, 2], 7);
  expect(routers[0]!.shape).toEqual([2, tiny.hidden]);
  expect(await routersOf([3, 4], 7)).toEqual(routers);
  expect(await routersOf([1, 2], 8)).not.toEqual(routers);
  expect(routers[1]!.data).not.toEqual(routers[0]!.data);
  const name = "model.layers.1.block_sparse_moe.gate.weight";
  expect(bits(routers[1]!.data)).toEqual(
    bits(startValues(matrix({ name, shape: [2, tiny.hidden], group: "router" }), 7)),
  );
  expect(routers[0]!.data.every((x) => x !== 0 && Math.abs(x) < 0.02 * 6)).toBe(true);
});

test("mix counts all parameters and those one token uses", async () => {
  const { result, tensors } = await mixed(tiny, threeModels(tiny), mixSpec(names));
  const total = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  const oneExpert = 3 * tiny.hidden * tiny.ffn;
  expect(result).toEqual({ parameters: total, activeParameters: total - tiny.layers * oneExpert });
});

test("mix averages the feed-forward block of layers that are to stay dense", async () => {
  const models = threeModels(biased);
  const { config, tensors } = await mixed(biased, models, mixSpec(names, { layers: [1] }));
  expect(config.moe?.layers).toEqual([1]);
  for (const [part] of feedForward) {
    for (const kind of ["weight", "bias"]) {
      const name = `model.layers.0.mlp.${part}.${kind}`;
      expect(bits(tensors.get(name)!.data)).toEqual(bits(mean(models, name)));
      expect(tensors.has(`model.layers.1.mlp.${part}.${kind}`)).toBe(false);
    }
  }
  expect(tensors.has("model.layers.0.block_sparse_moe.gate.weight")).toBe(false);
  expect(tensors.has("model.layers.1.block_sparse_moe.gate.weight")).toBe(true);
});

async function logitsOf(config: ModelConfig, parameters: Parameters, tokens: Int32Array): Promise<Float32Array> {
  const store = new Store();
  for (const [name, { shape, data }] of parameters) store.set(name, shape, data);
  const program: Program = (state, batch) => ({
    state: {},
    results: { logits: logits(state, named(batch, "tokens"), config).logits },
  });
  const shape = [tokens.length / config.context, config.context];
  const compiled = await compile(program, store, { tokens: { shape, dtype: "int32" } }, { threads: 1 });
  const results = await compiled.run({ tokens });
  await compiled.dispose();
  return results.logits as Float32Array;
}

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

test.each([
  1, 2, 4,
])("mixing 4 copies of one model gives that model's logits under any router, %i experts a token", async (k) => {
  const model = randomModel(biased, 5);
  const tokens = ints([2, biased.context], 9, biased.vocab).data as Int32Array;
  const expected = await logitsOf(biased, model, tokens);
  const spec = mixSpec(["a", "b", "c", "d"], { router: { type: "top-k", k, loadBalance: 0 } });
  const { config, tensors } = await mixed(biased, [model, model, model, model], spec);
  expect(largestDifference(await logitsOf(config, tensors, tokens), expected)).toBeLessThan(1e-5);
  // A router that is far from even.
  const decided = new Map([...tensors, ...[...randomModel(config, 6)].filter(([name]) => name.includes("moe.gate"))]);
  expect(decided.get("model.layers.0.block_sparse_moe.gate.weight")).not.toEqual(
    tensors.get("model.layers.0.block_sparse_moe.gate.weight"),
  );
  expect(largestDifference(await logitsOf(config, decided, tokens), expected)).toBeLessThan(1e-5);
});

test("average makes every parameter the mean over the models, bit for bit", async () => {
  const models = threeModels(biased);
  const context = contextOf({ kind: "average", experts: names }, { parents: await parentsOf(biased, models) });
  const result = await average(context);
  const { config, tensors } = await savedModel(context);
  expect(config).toEqual(biased);
  expect([...tensors.keys()].sort()).toEqual([...models[0]!.keys()].sort());
  for (const [name, { data }] of tensors) expect(bits(data)).toEqual(bits(mean(models, name)));
  const total = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  expect(result).toEqual({ parameters: total, activeParameters: total });
});

test("the mean of three equal models is that model", async () => {
  const model = randomModel(tiny, 1);
  const parents = await parentsOf(tiny, [model, model, model]);
  const context = contextOf({ kind: "average", experts: names }, { parents });
  await average(context);
  for (const [name, { data }] of (await savedModel(context)).tensors)
    expect(bits(data)).toEqual(bits(model.get(name)!.data));
});

test.each([
  ["mix", mix, mixSpec(["code", "math"])],
  ["average", average, { kind: "average" as const, experts: ["code", "math"] }],
] as const)("%s refuses models that differ, naming both and what differs first", async (_, work, spec) => {
  const attempt = async (other: ModelConfig, tokenizer?: string) => {
    const parents = {
      "expert:code": await stageWithModel(tiny, randomModel(tiny, 1)),
      "expert:math": await stageWithModel(other, randomModel(other, 2), tokenizer),
    };
    const context = contextOf(spec as MixSpec, { parents });
    const error = await (work as typeof mix)(context).catch((thrown: unknown) => thrown);
    expect(existsSync(context.paths.checkpoint)).toBe(false);
    return error;
  };
  expect(await attempt({ ...tiny, ffn: 16, layers: 1 })).toMatchObject({
    name: "UserError",
    message: '"code" and "math" cannot be mixed: their configurations differ in layers, 2 and 1',
  });
  const mixture = { ...tiny, moe: { experts: ["a", "b"], layers: [0], router: mixSpec([]).router } };
  expect(await attempt(mixture)).toMatchObject({
    name: "UserError",
    message: '"math" is already a Mixture-of-Experts: only dense models can be mixed',
  });
  const otherTokenizer = await attempt(tiny, tokenizerFolder([["a", "b"]]));
  expect(otherTokenizer).toMatchObject({ name: "UserError" });
  expect((otherTokenizer as Error).message).toBe(
    '"code" and "math" cannot be mixed: their tokenizers differ in added_tokens.0.id, 256 and 257',
  );
});

test("what mix writes has the tokenizer of the models it was made from", async () => {
  const parents = await parentsOf(tiny, threeModels(tiny));
  const context = contextOf(mixSpec(names), { parents });
  await mix(context);
  expect(existsSync(`${context.paths.checkpoint}/tokenizer.json`)).toBe(true);
  expect(existsSync(`${context.paths.checkpoint}/tokenizer_config.json`)).toBe(true);
});
