import { describe, expect, test } from "vitest";
import {
  decayingParameters,
  declaredParameters,
  initialParameters,
  parameterShapes,
} from "../../../server/model/parameters.ts";
import { parameterCount } from "../../../server/model/size.ts";
import { routerBiasName } from "../../../server/parameters/names.ts";
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

  test("gives experts a width of their own where they have one, and dense layers the model's", () => {
    const shapes = parameterShapes({ ...mixed, moe: { ...mixed.moe!, ffn: 5 } });
    const shapesOf = (prefix: string, names: string[]) => names.map((name) => shapes.get(`${prefix}.${name}`));
    expect(shapesOf("model.layers.0.mlp", ["gate_proj.weight", "up_proj.bias", "down_proj.weight"])).toEqual([
      [10, 8],
      [10],
      [8, 10],
    ]);
    for (const expert of [0, 1, 2]) {
      const names = ["w1.weight", "w1.bias", "w3.weight", "w3.bias", "w2.weight", "w2.bias"];
      expect(shapesOf(`model.layers.1.block_sparse_moe.experts.${expert}`, names)).toEqual([
        [5, 8],
        [5],
        [5, 8],
        [5],
        [8, 5],
        [8],
      ]);
    }
  });

  test("has a router's balancing bias, one number an expert, only where load is balanced by it", () => {
    const name = "model.layers.1.block_sparse_moe.gate.e_score_correction_bias";
    const { router } = mixed.moe!;
    const balanced: ModelConfig = { ...mixed, moe: { ...mixed.moe!, router: { ...router, balance: "bias" } } };
    expect(parameterShapes(balanced).get(name)).toEqual([3]);
    expect(parameterShapes(balanced).size).toBe(parameterShapes(mixed).size + 1);
    expect(routerBiasName(1)).toBe(name);
    expect([...initialParameters(balanced, 1).get(name)!.data]).toEqual([0, 0, 0]);
    expect(decayingParameters(balanced).has(name)).toBe(false);
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

describe("decayingParameters", () => {
  test("are weights, not norms and biases", () => {
    const config = { ...mixed, attentionBias: true };
    const decaying = decayingParameters(config);
    const kept = [...parameterShapes(config).keys()].filter((name) => !decaying.has(name));
    expect(kept.length).toBeGreaterThan(0);
    for (const name of kept) expect(name).toMatch(/norm\.weight$|\.bias$/);
    for (const name of decaying) expect(name).not.toMatch(/norm\.weight$|\.bias$/);
    expect(declaredParameters(config)).toHaveLength(kept.length + decaying.size);
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
