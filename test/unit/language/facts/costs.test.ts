import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { experimentCosts } from "../../../../server/language/facts/costs.ts";
import { flopsPerToken, trainingMemory } from "../../../../server/model/size.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import { folderWith, llamaFiles } from "../../experiment/folder.ts";
import { opened } from "../support.ts";

const text = `model: {layers: 2, hidden: 16, heads: 2, ffn: 32, context: 10}
tokenizer: {type: bpe, vocab: 300}
training: {batch: 4}
domains: {a: {files: x}, b: {files: y, tokens: 90}}
seed: {tokens: 401}
experts: {tokens: 80}
mix: {experts: [a, b, seed], router: {type: top-k, k: 2}}
finetune: {tokens: 40, batch: 2}
`;
const dense: ModelConfig = {
  vocab: 300,
  layers: 2,
  hidden: 16,
  heads: 2,
  kvHeads: 2,
  headSize: 8,
  ffn: 32,
  context: 10,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tiedEmbeddings: false,
  attentionBias: false,
  ffnBias: false,
};
const costsOf = (source: string, file?: string) => experimentCosts(opened(source).parsed.experiment!, file);

describe("the costs of an experiment", () => {
  it("are those of whole steps", async () => {
    const { seed, experts, finetune } = (await costsOf(text))!;
    expect([seed!.steps, seed!.tokens]).toEqual([11, 440]);
    expect(experts.map(({ name, steps, tokens }) => [name, steps, tokens])).toEqual([
      ["a", 2, 80],
      ["b", 3, 120],
    ]);
    expect([finetune.steps, finetune.tokens]).toEqual([2, 40]);
  });

  it("count operations and memory as the training does", async () => {
    const { seed, finetune, routing } = (await costsOf(text))!;
    expect(seed!.flops).toBe(440 * flopsPerToken(dense, { training: true }));
    expect(seed!.memory).toBe(trainingMemory(dense, 4));
    const router = { type: "top-k", k: 2, loadBalance: 0.01 } as const;
    const mixed = { ...dense, moe: { experts: ["a", "b", "seed"], layers: [0, 1], router } };
    expect(finetune.flops).toBe(40 * flopsPerToken(mixed, { training: true }));
    expect(routing).toEqual({ perToken: 2, experts: 3 });
  });

  it("are those of a seed that is loaded, without its training", async () => {
    const folder = await folderWith(llamaFiles("seed"));
    const source = text.replace(/^model.*\n/, "").replace(/seed: .*/, "seed: {from: seed}");
    const costs = (await costsOf(source, join(folder, "a.btx.yaml")))!;
    expect(costs.seed).toBeUndefined();
    // Embedding and head 2 x 257 x 64, two layers of attention 6 x 64 x 32 x 2 and feed-forward 3 x 64 x 96, norms 5 x 64.
    expect(costs.dense.total).toBe(2 * 257 * 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96) + 5 * 64);
    expect(await costsOf(source, "/nowhere/a.btx.yaml")).toBeUndefined();
  });
});
