import * as z from "zod";
import {
  attentionNormName,
  attentionOutputNormName,
  feedForwardNormName,
  feedForwardOutputNormName,
  layerPrefix,
} from "../../parameters/names.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import { renamed, type StoredTensor } from "../storedTensors.ts";
import { readGelu, readShape, readWindow, writeDecoder, writeLayerTypes } from "./decoder.ts";
import { allLayers, type Family, type FoundConfig } from "./family.ts";
import { readRope } from "./rope.ts";

const activationNames = { gelu: "gelu", "gelu-tanh": "gelu_pytorch_tanh" };

/** GeGLU, norms by 1 + weight, embeddings times sqrt(D). */
function readGemma(found: FoundConfig, defaults: Parameters<typeof readShape>[1]): ModelConfig {
  found.expect("use_bidirectional_attention", false);
  const config = readShape(found, { headSize: 256, tied: true, ...defaults });
  const key = found.string("hidden_activation") === undefined ? "hidden_act" : "hidden_activation";
  return {
    ...config,
    attentionBias: found.boolean("attention_bias", false),
    norm: "plus-one",
    activation: readGelu(found, key, found.string(key) ?? "gelu_pytorch_tanh"),
    multipliers: { embedding: Math.sqrt(config.hidden) },
  };
}

function writeGemma(config: ModelConfig): Record<string, unknown> {
  const activation = activationNames[config.activation ?? "gelu-tanh"];
  return {
    ...writeDecoder(config),
    hidden_act: activation,
    hidden_activation: activation,
    attention_bias: config.attentionBias,
  };
}

export const gemma: Family = {
  type: "gemma",
  architecture: "GemmaForCausalLM",
  read: (found) => ({ ...readGemma(found, { kvHeads: 16 }), family: "gemma" }),
  write: writeGemma,
};

/** Gemma 2 and 3 norm what a block reads and what it adds. */
const storedNorms = (config: ModelConfig): StoredTensor[] =>
  allLayers(config).flatMap((layer) => {
    const name = (norm: string) => `${layerPrefix(layer)}.${norm}.weight`;
    return [
      renamed(name("input_layernorm"), attentionNormName(layer)),
      renamed(name("post_attention_layernorm"), attentionOutputNormName(layer)),
      renamed(name("pre_feedforward_layernorm"), feedForwardNormName(layer)),
      renamed(name("post_feedforward_layernorm"), feedForwardOutputNormName(layer)),
    ];
  });

/** Caps and the scale of attention, which Gemma 2 and 3 share. */
function readCaps(found: FoundConfig, defaults: { attention?: number; logits?: number }): Partial<ModelConfig> {
  const cap = (key: string, otherwise?: number) => {
    const given = found.get(key, z.number().positive());
    return given === undefined && !found.has(key) ? otherwise : given;
  };
  const attention = cap("attn_logit_softcapping", defaults.attention);
  const logits = cap("final_logit_softcapping", defaults.logits);
  const softCap = {
    ...(attention === undefined ? {} : { attention }),
    ...(logits === undefined ? {} : { logits }),
  };
  return {
    attentionScale: found.positive("query_pre_attn_scalar", 256) ** -0.5,
    ...(Object.keys(softCap).length > 0 ? { softCap } : {}),
  };
}

const writeCaps = ({ attentionScale, softCap, window }: ModelConfig): Record<string, unknown> => ({
  // A square root and its inverse: the nearest number of few digits is the one that it was read from.
  query_pre_attn_scalar: Number(((attentionScale ?? 1) ** -2).toPrecision(12)),
  attn_logit_softcapping: softCap?.attention ?? null,
  final_logit_softcapping: softCap?.logits ?? null,
  ...(window ? { sliding_window: window.size } : {}),
});

/** Windows in every second layer, caps of scores and logits. */
export const gemma2: Family = {
  type: "gemma2",
  architecture: "Gemma2ForCausalLM",
  read(found) {
    const config = readGemma(found, { kvHeads: 4 });
    return {
      ...config,
      family: "gemma2",
      normPlacement: "both",
      ...readCaps(found, { attention: 50, logits: 30 }),
      ...readWindow(found, config.layers, (layer) => layer % 2 === 0),
    };
  },
  write: (config) => ({ ...writeGemma(config), ...writeCaps(config), layer_types: writeLayerTypes(config) }),
  stored: storedNorms,
};

/** Gemma 3's text models: five layers with a window, and rotary embeddings of their own, to one without. */
export const gemma3: Family = {
  type: "gemma3_text",
  architecture: "Gemma3ForCausalLM",
  read(found) {
    const config = readGemma(found, { kvHeads: 4, ropeTheta: 1_000_000, ropeKind: "full_attention" });
    const pattern = found.size("sliding_window_pattern", found.size("_sliding_window_pattern", 6));
    const local = readRope(
      found,
      {
        theta: found.positive("rope_local_base_freq", 10_000),
        context: config.context,
        pairs: () => config.headSize / 2,
      },
      "sliding_attention",
    );
    const windowRopeTheta = found.isNested("rope_parameters")
      ? local.ropeTheta
      : found.positive("rope_local_base_freq", 10_000);
    return {
      ...config,
      family: "gemma3_text",
      normPlacement: "both",
      qkNorm: "head",
      windowRopeTheta,
      ...readCaps(found, {}),
      ...readWindow(found, config.layers, (layer) => (layer + 1) % pattern !== 0),
    };
  },
  write: (config) => ({
    ...writeGemma(config),
    ...writeCaps(config),
    rope_local_base_freq: config.windowRopeTheta,
    layer_types: writeLayerTypes(config),
  }),
  stored: storedNorms,
};
