import { describe, expect, test } from "vitest";
import { decays, initialParameters, parameterShapes } from "../../../server/model/parameters.ts";
import { parameterCount } from "../../../server/model/size.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { models } from "./support.ts";

const dense = models["grouped queries, biases, untied"]!;
const mixed = models["Mixture-of-Experts in one layer, with biases"]!;

describe("parameterShapes", () => {
  test("has the names and shapes of a Hugging Face Llama", () => {
    const plain: ModelConfig = { ...dense, layers: 1, attentionBias: false, ffnBias: false };
    expect([...parameterShapes(plain)]).toEqual([
      ["model.embed_tokens.weight", [11, 8]],
      ["model.layers.0.input_layernorm.weight", [8]],
      ["model.layers.0.self_attn.q_proj.weight", [16, 8]],
      ["model.layers.0.self_attn.k_proj.weight", [8, 8]],
      ["model.layers.0.self_attn.v_proj.weight", [8, 8]],
      ["model.layers.0.self_attn.o_proj.weight", [8, 16]],
      ["model.layers.0.post_attention_layernorm.weight", [8]],
      ["model.layers.0.mlp.gate_proj.weight", [10, 8]],
      ["model.layers.0.mlp.up_proj.weight", [10, 8]],
      ["model.layers.0.mlp.down_proj.weight", [8, 10]],
      ["model.norm.weight", [8]],
      ["lm_head.weight", [11, 8]],
    ]);
  });

  test("has the names and shapes of a Mixtral where a layer is a Mixture-of-Experts", () => {
    const names = [...parameterShapes(mixed)].filter(([name]) => name.includes("moe") || name.includes("mlp"));
    expect(names.slice(0, 2).map(([name]) => name)).toEqual([
      "model.layers.0.mlp.gate_proj.weight",
      "model.layers.0.mlp.gate_proj.bias",
    ]);
    expect(names.slice(6, 13)).toEqual([
      ["model.layers.1.block_sparse_moe.gate.weight", [3, 8]],
      ["model.layers.1.block_sparse_moe.experts.0.w1.weight", [10, 8]],
      ["model.layers.1.block_sparse_moe.experts.0.w1.bias", [10]],
      ["model.layers.1.block_sparse_moe.experts.0.w3.weight", [10, 8]],
      ["model.layers.1.block_sparse_moe.experts.0.w3.bias", [10]],
      ["model.layers.1.block_sparse_moe.experts.0.w2.weight", [8, 10]],
      ["model.layers.1.block_sparse_moe.experts.0.w2.bias", [8]],
    ]);
  });

  for (const [name, config] of Object.entries(models)) {
    test(`adds up to the model's number of parameters: ${name}`, () => {
      const sizes = [...parameterShapes(config).values()].map((shape) => shape.reduce((product, n) => product * n, 1));
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(parameterCount(config).total);
    });
  }

  test("leaves the head out where it is tied to the embedding", () => {
    expect(parameterShapes({ ...dense, tiedEmbeddings: true }).has("lm_head.weight")).toBe(false);
  });
});

describe("decays", () => {
  test("is true for weights, false for norms and biases", () => {
    const kept = [...parameterShapes({ ...mixed, attentionBias: true }).keys()].filter((name) => !decays(name));
    expect(kept.filter((name) => !/norm\.weight$|\.bias$/.test(name))).toEqual([]);
    expect(decays("model.norm.weight") || decays("model.layers.0.mlp.up_proj.bias")).toBe(false);
    expect(decays("model.embed_tokens.weight") && decays("model.layers.1.block_sparse_moe.gate.weight")).toBe(true);
  });
});

describe("initialParameters", () => {
  const wide: ModelConfig = { ...dense, hidden: 64, ffn: 96, vocab: 100, layers: 8 };
  const parameters = initialParameters(wide, 5);
  const deviation = (name: string) => {
    const { data } = parameters.get(name)!;
    return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
  };

  test("draws weights with deviation 0.02, smaller where they write into the residual stream", () => {
    expect(deviation("model.embed_tokens.weight")).toBeCloseTo(0.02, 3);
    expect(deviation("model.layers.3.mlp.up_proj.weight")).toBeCloseTo(0.02, 3);
    expect(deviation("model.layers.3.mlp.down_proj.weight")).toBeCloseTo(0.02 / 4, 3);
    expect(deviation("model.layers.3.self_attn.o_proj.weight")).toBeCloseTo(0.02 / 4, 3);
  });

  test("starts norms at 1 and biases at 0", () => {
    expect(parameters.get("model.norm.weight")!.data.every((x) => x === 1)).toBe(true);
    expect(parameters.get("model.layers.0.self_attn.q_proj.bias")!.data.every((x) => x === 0)).toBe(true);
  });

  test("gives a parameter the same values whatever the other parameters are", () => {
    const other = initialParameters({ ...wide, vocab: 7, attentionBias: false }, 5);
    const name = "model.layers.3.mlp.up_proj.weight";
    expect(other.get(name)).toEqual(parameters.get(name));
    expect(initialParameters(wide, 6).get(name)).not.toEqual(parameters.get(name));
  });
});
