import { describe, expect, it } from "vitest";
import { flopsPerToken, parameterCount, trainingMemory } from "../../../server/model/size.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";

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

const mixture = (config: ModelConfig, experts: number, k: number, layers?: number[]): ModelConfig => ({
  ...config,
  moe: {
    experts: Array.from({ length: experts }, (_, i) => `e${i}`),
    layers: layers ?? Array.from({ length: config.layers }, (_, i) => i),
    router: { type: "top-k", k, loadBalance: 0.01 },
  },
});

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

  it("grows with the experts of a mixture, and with k at equal experts", () => {
    const top1 = trainingMemory(mixture(tiny, 4, 1), 1);
    expect(top1).toBeGreaterThan(trainingMemory(mixture(tiny, 3, 1), 1));
    expect(trainingMemory(mixture(tiny, 4, 2), 1)).toBeGreaterThan(top1);
  });
});
