import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointType, configFromHuggingFace, configToHuggingFace } from "../../../server/checkpoint/huggingFace.ts";
import { readConfig } from "../../../server/checkpoint/readConfig.ts";
import type { ModelConfig, RouterConfig } from "../../../server/protocol/model.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { denseConfig, moeConfig } from "./files.ts";

/** As Transformers writes it for TinyLlama. */
const tinyLlama = {
  architectures: ["LlamaForCausalLM"],
  attention_bias: false,
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_act: "silu",
  hidden_size: 2048,
  initializer_range: 0.02,
  intermediate_size: 5632,
  max_position_embeddings: 2048,
  model_type: "llama",
  num_attention_heads: 32,
  num_hidden_layers: 22,
  num_key_value_heads: 4,
  pretraining_tp: 1,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 10_000,
  tie_word_embeddings: false,
  torch_dtype: "float32",
  transformers_version: "4.35.0",
  use_cache: true,
  vocab_size: 32_000,
};

/** As Transformers writes it for Mixtral-8x7B. */
const mixtral = {
  architectures: ["MixtralForCausalLM"],
  attention_dropout: 0,
  hidden_act: "silu",
  hidden_size: 4096,
  intermediate_size: 14_336,
  max_position_embeddings: 32_768,
  model_type: "mixtral",
  num_attention_heads: 32,
  num_experts_per_tok: 2,
  num_hidden_layers: 3,
  num_key_value_heads: 8,
  num_local_experts: 8,
  output_router_logits: false,
  rms_norm_eps: 1e-5,
  rope_theta: 1_000_000,
  router_aux_loss_coef: 0.02,
  sliding_window: null,
  tie_word_embeddings: false,
  vocab_size: 32_000,
};

const through = (config: ModelConfig): ModelConfig =>
  configFromHuggingFace(JSON.parse(JSON.stringify(configToHuggingFace(config, { endOfText: 3 }))), "config.json");

describe("configToHuggingFace", () => {
  it("gives back the same configuration for every kind of model", () => {
    const configs: ModelConfig[] = [
      denseConfig,
      { ...denseConfig, headSize: 6, tiedEmbeddings: true, attentionBias: true, ffnBias: true, ropeTheta: 500_000 },
      moeConfig,
      { ...moeConfig, attentionBias: true },
      { ...moeConfig, ffnBias: true },
      { ...moeConfig, moe: { ...moeConfig.moe!, layers: [1] } },
    ];
    for (const config of configs) expect(through(config)).toEqual(config);
    expect(configs.map(checkpointType)).toEqual(["llama", "llama", "mixtral", "btx", "btx", "btx"]);
  });

  const routers: [type: string, router: RouterConfig, keys: object][] = [
    [
      "mixtral",
      { type: "top-k", k: 2, loadBalance: 0.02, balance: "switch", balanceOver: "batch", zLoss: 1e-3 },
      { num_experts_per_tok: 2, router_aux_loss_coef: 0.02 },
    ],
    ["mixtral", { type: "top-k", k: 1, loadBalance: 0 }, { num_experts_per_tok: 1, router_aux_loss_coef: 0 }],
    ["btx", { type: "top-k", k: 2, softmax: "before", loadBalance: 0 }, { num_experts_per_tok: 2 }],
    ["btx", { type: "top-k", k: 2, loadBalance: 0, balance: "bias", biasRate: 0.001 }, { num_experts_per_tok: 2 }],
    ["btx", { type: "switch", capacity: 1.5, evaluationCapacity: 2, loadBalance: 0.01 }, { num_experts_per_tok: 1 }],
    ["btx", { type: "soft", loadBalance: 0.01 }, { num_experts_per_tok: 3 }],
    [
      "btx",
      { type: "sample-top-1", temperatureRate: 4, minTemperature: 0.5, loadBalance: 0.01 },
      { num_experts_per_tok: 1 },
    ],
  ];
  it.each(routers)("gives back every router, as a %s: %o", (type, router, keys) => {
    const config: ModelConfig = { ...moeConfig, moe: { ...moeConfig.moe!, router } };
    expect(through(config)).toEqual(config);
    expect(configToHuggingFace(config)).toMatchObject({ model_type: type, ...keys });
  });

  it("writes the width of split experts where Transformers looks for it, and keeps that of the whole", () => {
    const split: ModelConfig = { ...moeConfig, moe: { ...moeConfig.moe!, ffn: 6 } };
    expect(through(split)).toEqual(split);
    expect(configToHuggingFace(split)).toMatchObject({ model_type: "mixtral", intermediate_size: 6, btx: { ffn: 12 } });
    const partly: ModelConfig = { ...moeConfig, moe: { ...moeConfig.moe!, layers: [1], ffn: 6 } };
    expect(through(partly)).toEqual(partly);
    expect(configToHuggingFace(partly)).toMatchObject({ model_type: "btx", intermediate_size: 12 });
    const soft: ModelConfig = { ...split, moe: { ...split.moe!, router: { type: "soft", loadBalance: 0 } } };
    expect(through(soft)).toEqual(soft);
  });

  it("writes the keys that Transformers reads", () => {
    expect(configToHuggingFace(denseConfig, { endOfText: 3 })).toMatchObject({
      architectures: ["LlamaForCausalLM"],
      model_type: "llama",
      hidden_size: 8,
      head_dim: 2,
      num_key_value_heads: 2,
      attention_bias: false,
      mlp_bias: false,
      rope_theta: 10_000,
      bos_token_id: 3,
      eos_token_id: 3,
    });
    expect(configToHuggingFace(moeConfig)).toMatchObject({
      architectures: ["MixtralForCausalLM"],
      model_type: "mixtral",
      num_local_experts: 3,
      num_experts_per_tok: 2,
      router_aux_loss_coef: 0.01,
      sliding_window: null,
      eos_token_id: null,
      btx: { moe: { experts: ["code", "math", "seed"] } },
    });
  });
});

describe("configFromHuggingFace", () => {
  it("reads a Llama as Transformers writes it, with its defaults", () => {
    const config = configFromHuggingFace(tinyLlama, "config.json");
    expect(config).toMatchObject({
      vocab: 32_000,
      context: 2048,
      layers: 22,
      heads: 32,
      kvHeads: 4,
      headSize: 64,
      ffn: 5632,
    });
    const { num_key_value_heads: _k, rope_theta: _t, rms_norm_eps: _e, ...sparse } = tinyLlama;
    expect(configFromHuggingFace(sparse, "f")).toMatchObject({ kvHeads: 32, ropeTheta: 10_000, normEps: 1e-6 });
    const newer = { ...sparse, rope_parameters: { rope_type: "default", rope_theta: 250_000 } };
    expect(configFromHuggingFace(newer, "f").ropeTheta).toBe(250_000);
  });

  it("reads a Mixtral of somebody else, numbering its experts", () => {
    const { moe, ...config } = configFromHuggingFace(mixtral, "config.json");
    expect(config).toMatchObject({ headSize: 128, kvHeads: 8, ropeTheta: 1_000_000, attentionBias: false });
    expect(moe).toEqual({
      experts: Array.from({ length: 8 }, (_, i) => `expert${i}`),
      layers: [0, 1, 2],
      router: { type: "top-k", k: 2, loadBalance: 0.02 },
    });
  });

  it("reads a Mixtral with a window as one of Mistrals", () => {
    const config = configFromHuggingFace({ ...mixtral, sliding_window: 4096 }, "config.json");
    expect(config).toMatchObject({ family: "mistral", window: { size: 4096, layers: [0, 1, 2] } });
    expect(configToHuggingFace(config)).toMatchObject({ model_type: "mixtral", sliding_window: 4096 });
  });

  it("reads the files of Transformers 4 and 5 alike", () => {
    const llama3 = {
      factor: 8,
      high_freq_factor: 4,
      low_freq_factor: 1,
      original_max_position_embeddings: 8192,
      rope_type: "llama3",
    };
    const { rope_theta: _, rope_scaling: __, ...rest } = tinyLlama;
    const older = configFromHuggingFace({ ...rest, rope_theta: 500_000, rope_scaling: llama3 }, "f");
    const newer = configFromHuggingFace({ ...rest, rope_parameters: { ...llama3, rope_theta: 500_000 } }, "f");
    expect(older).toEqual(newer);
    expect(older.ropeScaling).toMatchObject({ type: "llama3", factor: 8, original: 8192 });
  });

  const ours = configToHuggingFace(moeConfig);
  const refused: [what: string, json: unknown, message: string | RegExp][] = [
    ["no object", null, "has no `model_type`"],
    ["no type", {}, "has no `model_type`"],
    [
      "another type",
      { ...tinyLlama, model_type: "deepseek_v3" },
      'describes a model of type "deepseek_v3", which is not supported: the types that are: llama, mistral, qwen2, qwen3,',
    ],
    ["a type named like a property of objects", { ...tinyLlama, model_type: "__proto__" }, 'of type "__proto__"'],
    [
      "another head",
      { ...tinyLlama, architectures: ["LlamaForSequenceClassification"] },
      'has the architecture "LlamaForSequenceClassification": only LlamaForCausalLM',
    ],
    [
      "another activation",
      { ...tinyLlama, hidden_act: "gelu" },
      '`hidden_act` is "gelu", but only "silu" and "swish" can be computed',
    ],
    [
      "another activation in a family with GELU",
      { ...tinyLlama, model_type: "gemma", architectures: ["GemmaForCausalLM"], hidden_act: "relu" },
      '`hidden_act` is "relu", but only GELU can be computed',
    ],
    [
      "a rope scaling of another kind",
      { ...tinyLlama, rope_scaling: { type: "spiral", factor: 2 } },
      '`rope_scaling.rope_type` is "spiral", but only default, linear,',
    ],
    [
      "a rope scaling without a type",
      { ...tinyLlama, rope_scaling: { factor: 2 } },
      "`rope_scaling` has no `rope_type`",
    ],
    [
      "a rope scaling that lacks a number",
      { ...tinyLlama, rope_parameters: { rope_type: "llama3", rope_theta: 1 } },
      "`rope_parameters.factor` is missing",
    ],
    [
      "LongRoPE for heads of another width",
      {
        ...tinyLlama,
        rope_scaling: { type: "longrope", short_factor: [1], long_factor: [2], original_max_position_embeddings: 8 },
      },
      "`rope_scaling.short_factor` has 1 factors, but a head has 32 rotated pairs",
    ],
    [
      "kinds of layers for other layers",
      { ...tinyLlama, model_type: "mistral", architectures: ["MistralForCausalLM"], layer_types: ["full_attention"] },
      "`layer_types` names 1 layers, but `num_hidden_layers` is 22",
    ],
    [
      "attention in both directions",
      { ...tinyLlama, model_type: "gemma", architectures: ["GemmaForCausalLM"], use_bidirectional_attention: true },
      "`use_bidirectional_attention` is true, but only false can be computed",
    ],
    [
      "rope a kind of layer",
      { ...tinyLlama, rope_parameters: { full_attention: { rope_theta: 1 } } },
      "`rope_parameters.full_attention`",
    ],
    ["a part of a head turned", { ...tinyLlama, partial_rotary_factor: 0.5 }, "`partial_rotary_factor` is 0.5, but"],
    ["quantized weights", { ...tinyLlama, quantization_config: { bits: 4 } }, "describes a quantized model"],
    ["a missing size", { ...tinyLlama, hidden_size: undefined }, "has no valid `hidden_size`"],
    ["a negative size", { ...tinyLlama, intermediate_size: -1 }, "has no valid `intermediate_size`"],
    ["a billion layers", { ...tinyLlama, num_hidden_layers: 1e9 }, "has no valid `num_hidden_layers`"],
    ["a billion experts", { ...mixtral, num_local_experts: 1e9 }, "has no valid `num_local_experts`"],
    [
      "heads that do not divide the hidden size",
      { ...tinyLlama, num_attention_heads: 31 },
      "`hidden_size` 2048 is not a multiple of `num_attention_heads` 31",
    ],
    [
      "key-value heads that do not divide the heads",
      { ...tinyLlama, num_key_value_heads: 5 },
      "`num_attention_heads` 32 is not a multiple of `num_key_value_heads` 5",
    ],
    ["odd heads", { ...tinyLlama, head_dim: 7 }, "gives heads of which 7 elements are rotated"],
    [
      "more experts a token than experts",
      { ...mixtral, num_experts_per_tok: 9 },
      "`num_experts_per_tok` is 9, more than the 8 experts",
    ],
    [
      "expert names that do not fit",
      { ...ours, num_local_experts: 4 },
      "`btx.moe.experts` names 3 experts, but num_local_experts is 4",
    ],
    [
      "layers that do not exist",
      { ...ours, btx: { version: 1, moe: { ...moeConfig.moe, layers: [0, 2] } } },
      "`btx.moe.layers` is not an ascending list of layers below 2",
    ],
    [
      "a mixtral with dense layers",
      { ...ours, btx: { version: 1, moe: { ...moeConfig.moe, layers: [0] } } },
      "`btx.moe.layers` leaves out layers",
    ],
    ["two different ks", { ...ours, num_experts_per_tok: 1 }, "`num_experts_per_tok` is 1, but btx.moe.router uses 2"],
    [
      "a mixtral that is not routed like one",
      {
        ...ours,
        num_experts_per_tok: 3,
        btx: { version: 1, moe: { ...moeConfig.moe, router: { type: "soft", loadBalance: 0 } } },
      },
      "`btx.moe.router` routes in a way that Mixtral does not",
    ],
    [
      "experts of two widths",
      { ...ours, btx: { version: 1, moe: { ...moeConfig.moe, ffn: 5 } } },
      "`btx.moe.ffn` is 5, but intermediate_size is 12",
    ],
    [
      "a router we do not know",
      { ...ours, btx: { version: 1, moe: { ...moeConfig.moe, router: { type: "hash" } } } },
      "has no valid `btx.moe.router.type`",
    ],
  ];
  it.each(refused)("refuses %s, naming the file and the key", (_, json, message) => {
    expect(() => configFromHuggingFace(json, "/m/config.json")).toThrow(message);
    expect(() => configFromHuggingFace(json, "/m/config.json")).toThrow(/^\/m\/config\.json/);
  });
});

describe("readConfig", () => {
  it("says what is wrong with the file", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "config.json");
    await expect(readConfig(folder)).rejects.toThrow(`the folder ${folder} has no config.json`);
    writeFileSync(path, "{");
    await expect(readConfig(folder)).rejects.toThrow(`${path} is not valid JSON`);
    writeFileSync(path, JSON.stringify(tinyLlama));
    expect((await readConfig(folder)).layers).toBe(22);
    const other = join(folder, "other");
    mkdirSync(join(other, "config.json"), { recursive: true });
    await expect(readConfig(other)).rejects.toThrow(
      `${join(other, "config.json")} is a folder, but must be a regular file: `,
    );
  });
});
