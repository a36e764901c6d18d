import { describe, expect, test } from "vitest";
import { declaredParameters, parameterShapes, trainedShapes } from "../../../server/model/parameters.ts";
import { isFrozen } from "../../../server/parameters/freeze.ts";
import { routerBiasName } from "../../../server/parameters/names.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { type FreezeItem, parameterGroupSchema } from "../../../server/protocol/stage.ts";
import { models } from "../model/support.ts";

const dense = models["grouped queries, biases, untied"]!;
const mixed: ModelConfig = {
  ...models["Mixture-of-Experts in one layer, with biases"]!,
  attentionBias: true,
};
const balancedByBias: ModelConfig = {
  ...mixed,
  moe: { ...mixed.moe!, router: { type: "top-k", k: 2, loadBalance: 0, balance: "bias" } },
};
const groups = parameterGroupSchema.options;
const namesOf = (shapes: Map<string, number[]>): string[] => [...shapes.keys()];
const groupOf = (config: ModelConfig) =>
  new Map(declaredParameters(config).map(({ name, group }): [string, string] => [name, group]));

describe("every parameter", () => {
  test("is in one group", () => {
    for (const config of [...Object.values(models), balancedByBias]) {
      const declared = declaredParameters(config);
      expect(new Set(declared.map(({ name }) => name)).size).toBe(declared.length);
      for (const { group } of declared) expect(groups).toContain(group);
    }
  });

  test.each([
    ["model.embed_tokens.weight", "embeddings"],
    ["model.layers.0.self_attn.q_proj.weight", "attention"],
    ["model.layers.1.self_attn.o_proj.bias", "attention"],
    ["model.layers.1.block_sparse_moe.experts.2.w1.weight", "experts"],
    ["model.layers.1.block_sparse_moe.experts.1.w2.bias", "experts"],
    ["model.layers.1.block_sparse_moe.gate.weight", "router"],
    [routerBiasName(1), "router"],
    ["model.layers.0.mlp.gate_proj.weight", "dense"],
    ["model.layers.0.mlp.down_proj.bias", "dense"],
    ["model.layers.0.input_layernorm.weight", "norms"],
    ["model.layers.0.post_attention_layernorm.weight", "norms"],
    ["model.norm.weight", "norms"],
  ])("%s is in the group %s", (name, group) => {
    expect(groupOf(balancedByBias).get(name)).toBe(group);
  });

  test("of an untied head is an embedding", () => {
    expect(groupOf(dense).get("lm_head.weight")).toBe("embeddings");
  });

  test("follows its gradient but for the routers' balancing biases", () => {
    const ruled = declaredParameters(balancedByBias).filter(({ follows }) => follows === "rule");
    expect(ruled.map(({ name }) => name)).toEqual([routerBiasName(1)]);
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
    const ofMixed = groupOf(mixed);
    const all = namesOf(parameterShapes(mixed));
    const trained = namesOf(trainedShapes(mixed, [group]));
    expect(trained).toEqual(all.filter((name) => ofMixed.get(name) !== group));
    expect(trained.length).toBeLessThan(all.length);
  });

  test.each(groups)("hold the group %s alone where all but it is frozen", (group) => {
    const trained = namesOf(trainedShapes(mixed, { allBut: [group] }));
    expect(trained).toEqual(namesOf(parameterShapes(mixed)).filter((name) => groupOf(mixed).get(name) === group));
  });

  test("lack one expert that is named", () => {
    const [first] = mixed.moe!.experts;
    const left = new Set(namesOf(trainedShapes(mixed, [`expert:${first!}`])));
    const gone = namesOf(parameterShapes(mixed)).filter((name) => !left.has(name));
    expect(gone.length).toBeGreaterThan(0);
    for (const name of gone) expect(name).toContain(".block_sparse_moe.experts.0.");
  });

  test("lack all parts of a split expert where it is named, and no other with a longer name", () => {
    const frozen = (expert: string, item: FreezeItem) => isFrozen({ group: "experts", expert }, [item]);
    expect(frozen("code.1", "expert:code")).toBe(true);
    expect(frozen("code.12", "expert:code")).toBe(true);
    expect(frozen("code.1", "expert:code.1")).toBe(true);
    expect(frozen("code.2", "expert:code.1")).toBe(false);
    expect(frozen("coder", "expert:code")).toBe(false);
    expect(frozen("code.x", "expert:code")).toBe(false);
  });

  test("never hold a router's balancing bias", () => {
    expect(namesOf(trainedShapes(balancedByBias))).toEqual(namesOf(parameterShapes(mixed)));
  });

  test("are the same where a group names nothing in the model", () => {
    expect([...trainedShapes(dense, ["router", "experts"])]).toEqual([...parameterShapes(dense)]);
  });
});
