import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import type { EvaluateSpec, MixSpec } from "../../../../server/protocol/stage.ts";
import { evaluate } from "../../../../server/stages/evaluate.ts";
import { mix } from "../../../../server/stages/mix.ts";
import type { Parameters } from "../../../../server/stages/model.ts";
import type { Weights } from "../../model/reference.ts";
import {
  contextOf,
  documentsOf,
  randomModel,
  savedModel,
  stageWithData,
  stageWithModel,
  tiny,
  toWeights,
  untrained,
} from "../support.ts";

const biased: ModelConfig = { ...tiny, vocab: 19, attentionBias: true, ffnBias: true };
const names = ["code", "prose", "seed"];
const models = [1, 2, 3].map((seed) => randomModel(biased, seed));

const mixSpec = (more: Partial<MixSpec> = {}): MixSpec => ({
  kind: "mix",
  experts: names,
  router: { type: "top-k", k: 2, loadBalance: 0.01 },
  randomSeed: 7,
  ...more,
});

/** A mix stage that is about to begin; its models may be given in their folders. */
async function stage(config: ModelConfig, given: Parameters[], spec: MixSpec, data?: string) {
  const folders = await Promise.all(given.map((model) => stageWithModel(config, model)));
  const parents = Object.fromEntries(spec.experts.map((name, i) => [`expert:${name}`, folders[i]!]));
  return contextOf(spec, { parents: { ...parents, ...(data ? { data } : {}) } });
}

async function mixed(config: ModelConfig, given: Parameters[], more: Partial<MixSpec>, data?: string) {
  const context = await stage(config, given, mixSpec(more), data);
  const result = await mix(context);
  return { result, folder: context.paths.folder, ...(await savedModel(context)) };
}

const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const silu = (x: number): number => x / (1 + Math.exp(-x));

/** down(silu(gate(x)) * up(x)) by plain loops. */
function block(weights: Weights, gate: string, up: string, down: string, x: number[]): number[] {
  const linear = (name: string, input: number[]) =>
    weights.get(`${name}.weight`)!.map((row, i) => dot(row, input) + weights.get(`${name}.bias`)![0]![i]!);
  const [gates, ups] = [linear(gate, x), linear(up, x)];
  return linear(
    down,
    gates.map((value, i) => silu(value) * ups[i]!),
  );
}

const blockOf = (model: Parameters, layer: number, x: number[]) => {
  const prefix = `model.layers.${layer}.mlp`;
  return block(toWeights(model), `${prefix}.gate_proj`, `${prefix}.up_proj`, `${prefix}.down_proj`, x);
};
const expertOf = (mixture: Parameters, layer: number, expert: number, x: number[]) => {
  const prefix = `model.layers.${layer}.block_sparse_moe.experts.${expert}`;
  return block(toWeights(mixture), `${prefix}.w1`, `${prefix}.w3`, `${prefix}.w2`, x);
};
const sumOf = (vectors: number[][]): number[] => vectors.reduce((sum, x) => sum.map((value, i) => value + x[i]!));
const input = Array.from({ length: biased.hidden }, (_, i) => Math.sin(3 * i + 1));

function expectClose(actual: number[], expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 4);
}

/** Which rows of the original gate and up, and columns of down, an expert is to have: [model, index] of each. */
function expectParts(mixture: Parameters, layer: number, expert: number, parts: [number, number][]): void {
  const weights = toWeights(mixture);
  const originals = models.map(toWeights);
  const prefix = `model.layers.${layer}`;
  const kept = (name: string) => weights.get(`${prefix}.block_sparse_moe.experts.${expert}.${name}`)!;
  const original = (model: number, name: string) => originals[model]!.get(`${prefix}.mlp.${name}`)!;
  for (const [from, to] of [
    ["gate_proj", "w1"],
    ["up_proj", "w3"],
  ]) {
    expect(kept(`${to}.weight`)).toEqual(parts.map(([model, i]) => original(model, `${from}.weight`)[i]));
    expect(kept(`${to}.bias`)).toEqual([parts.map(([model, i]) => original(model, `${from}.bias`)[0]![i])]);
  }
  expect(kept("w2.weight")).toEqual(
    Array.from({ length: biased.hidden }, (_, row) =>
      parts.map(([model, i]) => original(model, "down_proj.weight")[row]![i]),
    ),
  );
}

describe("split", () => {
  test("cuts each block along its width in experts that add up to it, and names them", async () => {
    const { config, tensors } = await mixed(biased, models, { split: 3 });
    const experts = names.flatMap((name) => [`${name}.1`, `${name}.2`, `${name}.3`]);
    expect(config.ffn).toBe(12);
    expect(config.moe).toEqual({ experts, layers: [0, 1], router: mixSpec().router, ffn: 4 });
    for (const layer of [0, 1]) {
      for (const [m, model] of models.entries()) {
        for (const part of [0, 1, 2]) {
          const rows = [0, 1, 2, 3].map((i): [number, number] => [m, part * 4 + i]);
          expectParts(tensors, layer, m * 3 + part, rows);
        }
        const parts = [0, 1, 2].map((part) => expertOf(tensors, layer, m * 3 + part, input));
        expectClose(sumOf(parts), blockOf(model, layer, input));
      }
      expect(tensors.get(`model.layers.${layer}.block_sparse_moe.gate.weight`)!.shape).toEqual([9, biased.hidden]);
    }
  });

  test("leaves layers that stay dense their width, and counts the parameters that one token uses", async () => {
    const { config, tensors, result } = await mixed(biased, models, { split: 2, layers: [1] });
    expect(config.moe).toMatchObject({ layers: [1], ffn: 6 });
    expect(tensors.get("model.layers.0.mlp.gate_proj.weight")!.shape).toEqual([12, biased.hidden]);
    const total = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
    const oneExpert = 3 * 8 * 6 + 6 + 6 + 8;
    expect(result).toEqual({ parameters: total, activeParameters: total - 4 * oneExpert });
  });
});

describe("blend", () => {
  test("joins equal parts of all models in each expert, which together are the models' sum", async () => {
    const { config, tensors, result } = await mixed(biased, models, { blend: true });
    expect(config.moe).toEqual({
      experts: ["blend.1", "blend.2", "blend.3"],
      layers: [0, 1],
      router: mixSpec().router,
    });
    for (const layer of [0, 1]) {
      for (const expert of [0, 1, 2]) {
        const rows = [0, 1, 2].flatMap((m) => [0, 1, 2, 3].map((i): [number, number] => [m, expert * 4 + i]));
        expectParts(tensors, layer, expert, rows);
      }
      const blended = [0, 1, 2].map((expert) => expertOf(tensors, layer, expert, input));
      expectClose(sumOf(blended), sumOf(models.map((model) => blockOf(model, layer, input))));
    }
    const unblended = await mixed(biased, models, {});
    expect(result).toEqual(unblended.result);
    const shared = (of: Parameters) => [...of].filter(([name]) => !name.includes(".experts."));
    expect(shared(tensors)).toEqual(shared(unblended.tensors));
  });
});

test.each([
  [
    { split: 5 },
    "a feed-forward block of width 12 cannot be cut into 5 equal parts: choose a width (`model.ffn`) that is a multiple of 5",
  ],
  [{ split: 2, blend: true as const }, "`split` and `blend` cannot be combined: remove one of them"],
  [{ experts: ["code"] }, '"code" alone cannot be mixed: name at least two experts under `mix.experts`'],
  [
    { blend: true as const, routerInit: { from: "domains" as const, tokens: 8 } },
    'a blended expert belongs to no domain, so its router cannot start from "domains": choose random routers',
  ],
])("mix refuses %o in one sentence and leaves nothing behind", async (more, message) => {
  const context = await stage(biased, models, mixSpec(more));
  expect(await mix(context).catch((thrown: unknown) => thrown)).toMatchObject({ name: "UserError", message });
  expect(existsSync(context.paths.checkpoint)).toBe(false);
});

test("routers that balance by a bias start with a bias of 0", async () => {
  const router = { ...mixSpec().router, balance: "bias" as const, biasRate: 0.001 };
  const { tensors } = await mixed(biased, models, { router });
  const name = "model.layers.1.block_sparse_moe.gate.e_score_correction_bias";
  expect(tensors.get(name)).toEqual({ shape: [3], data: new Float32Array(3) });
});

describe("routers from text", () => {
  const wide: ModelConfig = { ...tiny, hidden: 32, heads: 4, headSize: 8 };
  const domains = ["letters", "digits", "signs"];
  const evaluation: EvaluateSpec = { kind: "evaluate", domains, tokens: 300, batch: 4, answers: 0 };
  const data = stageWithData({
    letters: { documents: documentsOf("abcd", 20, 60) },
    digits: { documents: documentsOf("0123", 20, 60) },
    signs: { documents: documentsOf("+-*/", 20, 60) },
  });

  /** Share of each domain's choices that fall on experts of its name, over layers. */
  async function ownShares(more: Partial<MixSpec>): Promise<number[]> {
    const given = domains.map((_, i) => untrained(wide, i + 1));
    const { folder } = await mixed(wide, given, { experts: domains, ...more }, await data);
    const { routing } = await evaluate(contextOf(evaluation, { parents: { data: await data, model: folder } }));
    const { routedTokens, experts } = routing!;
    return domains.map((domain, d) => {
      const total = (of: (expert: string) => boolean) =>
        routedTokens.flatMap((layer) => layer.filter((_, e) => of(experts[e]!)).map((row) => row[d]!));
      const sum = (numbers: number[]) => numbers.reduce((all, x) => all + x, 0);
      return sum(total((expert) => expert.startsWith(domain))) / sum(total(() => true));
    });
  }

  const single = { router: { type: "top-k" as const, k: 1, loadBalance: 0 } };
  const mean = (shares: number[]) => shares.reduce((sum, share) => sum + share, 0) / shares.length;

  test.each([
    "domains",
    "hidden",
  ] as const)('"%s" sends each domain\'s tokens to its own expert, which random ones do not', async (from) => {
    const shares = await ownShares({ ...single, routerInit: { from, tokens: 200 } });
    for (const share of shares) expect(share).toBeGreaterThan(0.75);
    expect(mean(await ownShares(single))).toBeLessThan(0.6);
  });

  test("sends them to the parts of their own expert where experts are split", async () => {
    const router = { type: "top-k" as const, k: 2, loadBalance: 0 };
    const shares = await ownShares({ router, split: 2, routerInit: { from: "hidden", tokens: 200 } });
    for (const share of shares) expect(share).toBeGreaterThan(0.75);
  });

  test("are the same again from the same seed of random numbers", async () => {
    const routers = async (randomSeed: number) => {
      const given = domains.map((_, i) => untrained(wide, i + 1));
      const init = { from: "hidden" as const, tokens: 100 };
      const { tensors } = await mixed(wide, given, { experts: domains, routerInit: init, randomSeed }, await data);
      return tensors.get("model.layers.1.block_sparse_moe.gate.weight")!.data;
    };
    const first = await routers(7);
    expect(await routers(7)).toEqual(first);
    expect(await routers(8)).not.toEqual(first);
  });
});
