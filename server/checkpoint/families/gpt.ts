import {
  attentionNormName,
  attentionPrefix,
  EMBEDDING,
  FINAL_NORM,
  feedForwardNames,
  feedForwardNormName,
  HEAD,
  normBiasName,
  POSITIONS,
} from "../../parameters/names.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import { renamed, type StoredTensor } from "../storedTensors.ts";
import { assertHeads, assertRotated, readGelu } from "./decoder.ts";
import { allLayers, type Family } from "./family.ts";
import { readRope, writeRope } from "./rope.ts";

/** GPT-NeoX and GPT-2: LayerNorm, biases, no gate. */

const geluNames = { gelu: "gelu", "gelu-tanh": "gelu_new" };

const common = { norm: "layer", gated: false, attentionBias: true, ffnBias: true } as const;

/** A norm's weight and bias under another name. */
const renamedNorm = (stored: string, name: string): StoredTensor[] => [
  renamed(`${stored}.weight`, name),
  renamed(`${stored}.bias`, normBiasName(name)),
];

/** Queries, keys and values: names and rows of one kind of parameter, "weight" or "bias". */
const projections = ({ heads, kvHeads, headSize }: ModelConfig, layer: number, kind: string) =>
  [
    ["q_proj", heads],
    ["k_proj", kvHeads],
    ["v_proj", kvHeads],
  ].map(([name, count]) => ({
    name: `${attentionPrefix(layer)}.${name}.${kind}`,
    rows: (count as number) * headSize,
  }));

/** GPT-NeoX and Pythia: rotary embeddings of a part of each head, and blocks side by side. */
export const gptNeox: Family = {
  type: "gpt_neox",
  architecture: "GPTNeoXForCausalLM",
  read(found) {
    const [hidden, heads] = [found.size("hidden_size"), found.size("num_attention_heads")];
    const headSize = hidden / heads;
    assertHeads(found, { hidden, heads, kvHeads: heads, headSize });
    const context = found.size("max_position_embeddings");
    const rope = readRope(found, {
      theta: found.positive("rotary_emb_base", 10_000),
      share: found.positive("rotary_pct", 0.25),
      context,
      pairs: (share) => Math.floor(headSize * share) / 2,
    });
    assertRotated(found, Math.floor(headSize * (rope.ropeShare ?? 1)));
    const activation = found.string("hidden_act") ?? "gelu";
    return {
      vocab: found.size("vocab_size"),
      context,
      layers: found.layerCount("num_hidden_layers"),
      hidden,
      heads,
      kvHeads: heads,
      headSize,
      ffn: found.size("intermediate_size"),
      normEps: found.positive("layer_norm_eps", 1e-5),
      tiedEmbeddings: found.boolean("tie_word_embeddings", false),
      ...common,
      ...rope,
      family: "gpt_neox",
      attentionBias: found.boolean("attention_bias", true),
      activation: readGelu(found, "hidden_act", activation),
      ...(found.boolean("use_parallel_residual", true) ? { parallel: true as const } : {}),
    };
  },
  write: (config) => ({
    vocab_size: config.vocab,
    max_position_embeddings: config.context,
    num_hidden_layers: config.layers,
    hidden_size: config.hidden,
    num_attention_heads: config.heads,
    intermediate_size: config.ffn,
    hidden_act: geluNames[config.activation ?? "gelu"],
    ...writeRope(config, config.context),
    rotary_emb_base: config.ropeTheta,
    rotary_pct: config.ropeShare ?? 1,
    layer_norm_eps: config.normEps,
    tie_word_embeddings: config.tiedEmbeddings,
    attention_bias: config.attentionBias,
    use_parallel_residual: config.parallel === true,
  }),
  stored(config) {
    const kinds = config.attentionBias ? ["weight", "bias"] : ["weight"];
    return [
      renamed("gpt_neox.embed_in.weight", EMBEDDING),
      ...allLayers(config).flatMap((layer): StoredTensor[] => {
        const prefix = `gpt_neox.layers.${layer}`;
        const { up, down } = feedForwardNames(layer);
        return [
          ...renamedNorm(`${prefix}.input_layernorm`, attentionNormName(layer)),
          ...kinds.flatMap((kind): StoredTensor[] => [
            {
              name: `${prefix}.attention.query_key_value.${kind}`,
              parts: projections(config, layer, kind),
              layout: { type: "heads", heads: config.heads },
            },
            renamed(`${prefix}.attention.dense.${kind}`, `${attentionPrefix(layer)}.o_proj.${kind}`),
          ]),
          ...renamedNorm(`${prefix}.post_attention_layernorm`, feedForwardNormName(layer)),
          ...["weight", "bias"].flatMap((kind) => [
            renamed(`${prefix}.mlp.dense_h_to_4h.${kind}`, `${up}.${kind}`),
            renamed(`${prefix}.mlp.dense_4h_to_h.${kind}`, `${down}.${kind}`),
          ]),
        ];
      }),
      ...renamedNorm("gpt_neox.final_layer_norm", FINAL_NORM),
      ...(config.tiedEmbeddings ? [] : [renamed("embed_out.weight", HEAD)]),
    ];
  },
};

/** GPT-2: learned positions; matrices are stored transposed. */
export const gpt2: Family = {
  type: "gpt2",
  architecture: "GPT2LMHeadModel",
  read(found) {
    found.expect("scale_attn_weights", true);
    found.expect("scale_attn_by_inverse_layer_idx", false);
    found.expect("add_cross_attention", false);
    const [hidden, heads] = [found.size("n_embd"), found.size("n_head")];
    const headSize = hidden / heads;
    assertHeads(found, { hidden, heads, kvHeads: heads, headSize });
    return {
      vocab: found.size("vocab_size"),
      context: found.size("n_positions"),
      layers: found.layerCount("n_layer"),
      hidden,
      heads,
      kvHeads: heads,
      headSize,
      ffn: found.size("n_inner", 4 * hidden),
      ropeTheta: 10_000,
      normEps: found.positive("layer_norm_epsilon", 1e-5),
      tiedEmbeddings: found.boolean("tie_word_embeddings", true),
      ...common,
      family: "gpt2",
      positions: "learned",
      activation: readGelu(found, "activation_function", found.string("activation_function") ?? "gelu_new"),
    };
  },
  write: (config) => ({
    vocab_size: config.vocab,
    n_positions: config.context,
    n_embd: config.hidden,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: config.ffn,
    activation_function: geluNames[config.activation ?? "gelu-tanh"],
    layer_norm_epsilon: config.normEps,
    tie_word_embeddings: config.tiedEmbeddings,
    scale_attn_weights: true,
  }),
  stored(config) {
    const turned = (name: string, of: string): StoredTensor => ({
      name,
      parts: [{ name: of }],
      layout: { type: "transposed" },
    });
    return [
      renamed("transformer.wte.weight", EMBEDDING),
      renamed("transformer.wpe.weight", POSITIONS),
      ...allLayers(config).flatMap((layer): StoredTensor[] => {
        const prefix = `transformer.h.${layer}`;
        const { up, down } = feedForwardNames(layer);
        const output = `${attentionPrefix(layer)}.o_proj`;
        return [
          ...renamedNorm(`${prefix}.ln_1`, attentionNormName(layer)),
          {
            name: `${prefix}.attn.c_attn.weight`,
            parts: projections(config, layer, "weight"),
            layout: { type: "transposed" },
          },
          { name: `${prefix}.attn.c_attn.bias`, parts: projections(config, layer, "bias") },
          turned(`${prefix}.attn.c_proj.weight`, `${output}.weight`),
          renamed(`${prefix}.attn.c_proj.bias`, `${output}.bias`),
          ...renamedNorm(`${prefix}.ln_2`, feedForwardNormName(layer)),
          turned(`${prefix}.mlp.c_fc.weight`, `${up}.weight`),
          renamed(`${prefix}.mlp.c_fc.bias`, `${up}.bias`),
          turned(`${prefix}.mlp.c_proj.weight`, `${down}.weight`),
          renamed(`${prefix}.mlp.c_proj.bias`, `${down}.bias`),
        ];
      }),
      ...renamedNorm("transformer.ln_f", FINAL_NORM),
    ];
  },
};
