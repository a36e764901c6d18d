import { describe, expect, it } from "vitest";
import { parameterShapes } from "../../../server/model/parameters.ts";
import { flopsPerToken, parameterCount, trainingMemory } from "../../../server/model/size.ts";
import type { ModelConfig, RouterConfig } from "../../../server/protocol/model.ts";
import type { Freeze } from "../../../server/protocol/stage.ts";

const llama7b: ModelConfig = {
  vocab: 32000,
  context: 4096,
  layers: 32,
  hidden: 4096,
  heads: 32,
  kvHeads: 32,
  headSize: 128,
  ffn: 11008,
  ropeTheta: 10000,
  normEps: 1e-5,
  tiedEmbeddings: false,
  attentionBias: false,
  ffnBias: false,
};

const routed = (config: ModelConfig, experts: number, router: RouterConfig, layers?: number[]): ModelConfig => ({
  ...config,
  moe: {
    experts: Array.from({ length: experts }, (_, i) => `e${i}`),
    layers: layers ?? Array.from({ length: config.layers }, (_, i) => i),
    router,
  },
});

const mixture = (config: ModelConfig, experts: number, k: number, layers?: number[]): ModelConfig =>
  routed(config, experts, { type: "top-k", k, loadBalance: 0.01 }, layers);

const switched: RouterConfig = { type: "switch", capacity: 1.5, loadBalance: 0.01 };
const soft: RouterConfig = { type: "soft", loadBalance: 0.01 };
const sampled: RouterConfig = { type: "sample-top-1", temperatureRate: 4, minTemperature: 0.5, loadBalance: 0.01 };

/** Small enough to count by hand: D 8, H 2 of 4, kvHeads 1, F 6, V 10, L 2. */
const tiny: ModelConfig = {
  ...llama7b,
  vocab: 10,
  context: 4,
  layers: 2,
  hidden: 8,
  heads: 2,
  kvHeads: 1,
  headSize: 4,
  ffn: 6,
};

const billions = (count: number) => (count / 1e9).toFixed(2);

describe("parameterCount", () => {
  it("gives Llama-2 7B its exact 6,738,415,616 parameters, all active", () => {
    expect(parameterCount(llama7b)).toEqual({ total: 6_738_415_616, active: 6_738_415_616 });
  });

  it("gives the paper's sizes for four mixed experts: 19.72 B in all, 11.07 B active with top-2", () => {
    const { total, active } = parameterCount(mixture(llama7b, 4, 2));
    expect([billions(total), billions(active)]).toEqual(["19.72", "11.07"]);
    expect(billions(parameterCount(mixture(llama7b, 4, 4)).active)).toBe("19.72");
    expect(billions(parameterCount(mixture(llama7b, 4, 1)).active)).toBe("6.74");
  });

  it("gives the paper's active sizes for the other routers: 6.7 B for top-1, 19.7 B for soft", () => {
    const active = (router: RouterConfig) => parameterCount(routed(llama7b, 4, router)).active;
    expect([switched, soft].map((router) => billions(active(router)))).toEqual(["6.74", "19.72"]);
    // Sampled top-1 has three experts more in the first layer, which is soft.
    expect(active(sampled) - active(switched)).toBe(3 * 3 * 4096 * 11008);
  });

  it("counts experts of another width, and the biases that balance routers", () => {
    const whole = mixture(tiny, 4, 2);
    const halves: ModelConfig = { ...whole, moe: { ...mixture(tiny, 8, 4).moe!, ffn: 3 } };
    const routers = 2 * 8 * 4;
    expect(parameterCount(halves).total).toBe(parameterCount(whole).total + routers);
    expect(parameterCount(halves).active).toBe(parameterCount(whole).active + routers);
    const bias = routed(tiny, 4, { type: "top-k", k: 2, loadBalance: 0, balance: "bias", biasRate: 1e-3 });
    expect(parameterCount(bias).total).toBe(parameterCount(whole).total + 2 * 4);
  });

  it("is that of the parameters themselves", () => {
    const split = mixture({ ...tiny, ffnBias: true, attentionBias: true }, 6, 3, [1]);
    const configs = [
      tiny,
      mixture(tiny, 3, 2, [1]),
      { ...split, moe: { ...split.moe!, ffn: 2 } },
      routed(tiny, 4, { ...switched, balance: "bias", biasRate: 1 }),
    ];
    for (const config of configs) {
      const sizes = [...parameterShapes(config).values()].map((shape) => shape.reduce((size, n) => size * n, 1));
      expect(parameterCount(config).total).toBe(sizes.reduce((sum, size) => sum + size, 0));
    }
  });

  it("counts grouped-query attention, norms, embeddings and head as they are", () => {
    const attention = 8 * 8 + 8 * 4 + 8 * 4 + 8 * 8;
    const layer = attention + 3 * 8 * 6 + 2 * 8;
    expect(parameterCount(tiny).total).toBe(2 * 10 * 8 + 2 * layer + 8);
  });

  it("counts tied embeddings once", () => {
    expect(parameterCount(tiny).total - parameterCount({ ...tiny, tiedEmbeddings: true }).total).toBe(80);
  });

  it("counts biases of attention (q, k, v, o) and feed-forward (gate, up, down)", () => {
    const { total } = parameterCount({ ...tiny, attentionBias: true, ffnBias: true });
    expect(total - parameterCount(tiny).total).toBe(2 * (8 + 4 + 4 + 8) + 2 * (6 + 6 + 8));
  });

  it("adds experts and a router only in the MoE layers", () => {
    const { total, active } = parameterCount(mixture(tiny, 3, 2, [1]));
    const dense = parameterCount(tiny).total;
    expect(total).toBe(dense + 2 * (3 * 8 * 6) + 8 * 3);
    expect(active).toBe(dense + 3 * 8 * 6 + 8 * 3);
  });
});

describe("flopsPerToken", () => {
  it("is 6 a matmul weight and 12 L T H headSize for attention, without the embedding lookup", () => {
    const weights = 2 * (192 + 144) + 10 * 8;
    expect(flopsPerToken(tiny, { training: true })).toBe(6 * weights + 12 * 2 * 4 * 2 * 4);
  });

  it("is a third of that for the forward pass alone", () => {
    expect(flopsPerToken(llama7b, { training: false }) * 3).toBe(flopsPerToken(llama7b, { training: true }));
  });

  it("counts a tied head like any other", () => {
    const tied = { ...tiny, tiedEmbeddings: true };
    expect(flopsPerToken(tied, { training: true })).toBe(flopsPerToken(tiny, { training: true }));
  });

  it("counts k experts and the router of a MoE layer, whatever the number of experts", () => {
    const of4 = flopsPerToken(mixture(tiny, 4, 2), { training: true });
    const of8 = flopsPerToken(mixture(tiny, 8, 2), { training: true });
    expect(of4 - flopsPerToken(tiny, { training: true })).toBe(6 * 2 * (144 + 8 * 4));
    expect(of8 - of4).toBe(6 * 2 * 8 * 4);
  });

  it("counts the experts that a router's tokens go to, in each layer, and experts of another width", () => {
    const flops = (config: ModelConfig) => flopsPerToken(config, { training: true });
    const expert = 3 * 8 * 6;
    expect(flops(routed(tiny, 4, soft)) - flops(routed(tiny, 4, switched))).toBe(6 * 2 * 3 * expert);
    expect(flops(routed(tiny, 4, sampled)) - flops(routed(tiny, 4, switched))).toBe(6 * 3 * expert);
    const narrow: ModelConfig = { ...mixture(tiny, 4, 2), moe: { ...mixture(tiny, 4, 2).moe!, ffn: 3 } };
    expect(flops(mixture(tiny, 4, 2)) - flops(narrow)).toBe(6 * 2 * 2 * (expert / 2));
  });

  it("takes the number of experts that tokens were measured to go to", () => {
    const config = mixture(tiny, 4, 2);
    const flops = (counts?: number[]) => flopsPerToken(config, { training: true, ...(counts ? { counts } : {}) });
    expect(flops([2, 2])).toBe(flops());
    expect(flops() - flops([1.25, 2])).toBe(6 * 0.75 * 144);
    expect(parameterCount(config).active - parameterCount(config, { counts: [1.25, 2] }).active).toBe(0.75 * 144);
    expect(flops([9, 2])).toBe(flops([4, 2]));
  });

  it("is 4 a weight of a frozen group in place of 6, which have no gradient of their own", () => {
    const config = mixture(tiny, 4, 2, [1]);
    const all = flopsPerToken(config, { training: true });
    const saved = (freeze: Freeze) => all - flopsPerToken(config, { training: true, freeze });
    expect(saved(["experts"])).toBe(2 * 2 * 144);
    expect(saved(["attention"])).toBe(2 * 2 * 192);
    expect(saved(["router"])).toBe(2 * 8 * 4);
    expect(saved(["embeddings"])).toBe(2 * 10 * 8);
    expect(saved(["attention", "experts"])).toBe(2 * (2 * 144 + 2 * 192));
    expect(saved(["dense"])).toBe(2 * 144);
    expect(saved(["norms"])).toBe(0);
    expect(saved({ allBut: ["router"] })).toBe(saved(["experts", "attention", "embeddings", "dense"]));
    // A token goes to two of four experts: each has half of its weights on average.
    expect(saved([`expert:${config.moe!.experts[0]!}`])).toBe((2 * 2 * 144) / 4);
    const forward = flopsPerToken(config, { training: false, freeze: ["experts"] });
    expect(forward).toBe(all / 3);
    expect(flopsPerToken(tiny, { training: true, freeze: ["experts", "router"] })).toBe(
      flopsPerToken(tiny, { training: true }),
    );
  });
});

describe("trainingMemory", () => {
  it("is 16 bytes a parameter and grows in proportion to the micro-batch", () => {
    const [none, one, two] = [0, 1, 2].map((microBatch) => trainingMemory(tiny, microBatch));
    expect(none).toBe(16 * parameterCount(tiny).total);
    expect(two! - one!).toBe(one! - none!);
  });

  it("is at least the probabilities of attention and the logits of the head", () => {
    const activations = trainingMemory(llama7b, 2) - trainingMemory(llama7b, 1);
    expect(activations).toBeGreaterThan(4 * (32 * 32 * 4096 * 4096 + 4096 * 32000));
  });

  it("is smaller where blocks are computed anew, the more so the deeper the model", () => {
    const saved = (layers: number) => {
      const config = { ...llama7b, layers };
      return trainingMemory(config, 1) / trainingMemory(config, 1, { recompute: true });
    };
    expect(saved(1)).toBeGreaterThan(1);
    expect(saved(32)).toBeGreaterThan(saved(8));
    const mixed = mixture(llama7b, 4, 2);
    expect(trainingMemory(mixed, 1, { recompute: true })).toBeLessThan(trainingMemory(mixed, 1));
  });

  it("is smaller in float16 by half of what products in the blocks read and give", () => {
    const [full, half] = [{}, { precision: "float16" as const }].map((computing) => [
      trainingMemory(llama7b, 1, computing),
      trainingMemory(mixture(llama7b, 4, 2), 1, computing),
    ]);
    const { layers, heads, hidden, ffn, context: T } = llama7b;
    const products = layers * (T * (8 * hidden + 4 * ffn) + 2 * heads * T ** 2);
    expect(full![0]! - half![0]!).toBe(2 * products);
    expect(half![1]!).toBeLessThan(full![1]!);
    expect(half![1]!).toBeGreaterThan(16 * parameterCount(mixture(llama7b, 4, 2)).total);
  });

  it("grows with the experts of a mixture, and with k at equal experts", () => {
    const top1 = trainingMemory(mixture(tiny, 4, 1), 1);
    expect(top1).toBeGreaterThan(trainingMemory(mixture(tiny, 3, 1), 1));
    expect(trainingMemory(mixture(tiny, 4, 2), 1)).toBeGreaterThan(top1);
    expect(trainingMemory(routed(tiny, 4, switched), 1)).toBe(top1);
    expect(trainingMemory(routed(tiny, 4, soft), 1)).toBe(trainingMemory(mixture(tiny, 4, 4), 1));
  });
});
