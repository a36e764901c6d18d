import { describe, expect, test } from "vitest";
import { groupOf, isFrozen, isRouterBias, trainedShapes } from "../../../server/model/groups.ts";
import { parameterShapes, routerBiasName } from "../../../server/model/parameters.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { frozenGroupSchema } from "../../../server/protocol/stage.ts";
import { models } from "./support.ts";

const dense = models["grouped queries, biases, untied"]!;
const mixed: ModelConfig = {
  ...models["Mixture-of-Experts in one layer, with biases"]!,
  attentionBias: true,
};
const balancedByBias: ModelConfig = {
  ...mixed,
  moe: { ...mixed.moe!, router: { type: "top-k", k: 2, loadBalance: 0, balance: "bias" } },
};
const groups = frozenGroupSchema.options;
const namesOf = (shapes: Map<string, number[]>): string[] => [...shapes.keys()];

describe("groupOf", () => {
  test.each([
    ["model.embed_tokens.weight", "embeddings"],
    ["lm_head.weight", "embeddings"],
    ["model.layers.0.self_attn.q_proj.weight", "attention"],
    ["model.layers.11.self_attn.o_proj.bias", "attention"],
    ["model.layers.1.block_sparse_moe.experts.2.w1.weight", "experts"],
    ["model.layers.1.block_sparse_moe.experts.10.w2.bias", "experts"],
    ["model.layers.1.block_sparse_moe.gate.weight", "router"],
    [routerBiasName(3), "router"],
    ["model.layers.0.mlp.gate_proj.weight", "other"],
    ["model.layers.0.mlp.down_proj.bias", "other"],
    ["model.layers.0.input_layernorm.weight", "other"],
    ["model.layers.0.post_attention_layernorm.weight", "other"],
    ["model.norm.weight", "other"],
  ])("%s belongs to %s", (name, group) => {
    expect(groupOf(name)).toBe(group);
  });

  test("knows the routers' balancing biases from all other parameters", () => {
    expect(namesOf(parameterShapes(balancedByBias)).filter(isRouterBias)).toEqual([routerBiasName(1)]);
  });
});

describe("trainedShapes", () => {
  test("are all parameters where nothing is frozen", () => {
    for (const config of [dense, mixed]) {
      expect([...trainedShapes(config)]).toEqual([...parameterShapes(config)]);
      expect([...trainedShapes(config, [])]).toEqual([...parameterShapes(config)]);
    }
  });

  test.each(groups)("lack the group %s where it is frozen, and no other parameter", (group) => {
    const all = namesOf(parameterShapes(mixed));
    const trained = namesOf(trainedShapes(mixed, [group]));
    expect(trained).toEqual(all.filter((name) => groupOf(name) !== group));
    expect(trained.length).toBeLessThan(all.length);
    for (const name of all) expect(isFrozen(name, [group])).toBe(!trained.includes(name));
  });

  test("never hold a router's balancing bias", () => {
    expect(namesOf(trainedShapes(balancedByBias))).toEqual(namesOf(parameterShapes(mixed)));
  });

  test("are the same where a group names nothing in the model", () => {
    expect([...trainedShapes(dense, ["router", "experts"])]).toEqual([...parameterShapes(dense)]);
  });

  test("are norms and dense feed-forward blocks where all groups are frozen", () => {
    const everywhere = models["Mixture-of-Experts"]!;
    const norms = namesOf(parameterShapes(everywhere)).filter((name) => name.endsWith("norm.weight"));
    expect(namesOf(trainedShapes(everywhere, groups))).toEqual(norms);
    expect(norms).toHaveLength(5);
    const left = namesOf(trainedShapes(mixed, groups));
    expect(left.filter((name) => !name.endsWith("norm.weight"))).toEqual(
      ["gate_proj", "up_proj", "down_proj"].flatMap((part) =>
        ["weight", "bias"].map((kind) => `model.layers.0.mlp.${part}.${kind}`),
      ),
    );
  });
});
