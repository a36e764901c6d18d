import * as z from "zod";
import type { ModelConfig } from "../../protocol/model.ts";
import { type FoundConfig, layersWhere } from "./family.ts";
import { readRope, writeRope } from "./rope.ts";

/** What the families that descend from Llama have in common. */

interface Defaults {
  ropeTheta?: number;
  normEps?: number;
  kvHeads?: number;
  headSize?: number;
  tied?: boolean;
  /** Whether a part of each head may be rotated, and which by default. */
  ropeShare?: number;
  /** Kind of layer of which `rope_parameters` are read, where it has several. */
  ropeKind?: string;
}

/** A decoder with SiLU as its activation. @throws UserError naming file and key. */
export function readDecoder(found: FoundConfig, defaults?: Defaults): ModelConfig {
  found.expect("hidden_act", "silu", "swish");
  return readShape(found, defaults);
}

/** Sizes and rotary embeddings, whatever the activation. @throws UserError naming file and key. */
export function readShape(found: FoundConfig, defaults: Defaults = {}): ModelConfig {
  const hidden = found.size("hidden_size");
  const heads = found.size("num_attention_heads");
  const kvHeads = found.size("num_key_value_heads", defaults.kvHeads ?? heads);
  const headSize = found.size("head_dim", defaults.headSize ?? hidden / heads);
  assertHeads(found, { hidden, heads, kvHeads, headSize });
  const context = found.size("max_position_embeddings");
  const rope = readRope(
    found,
    {
      theta: defaults.ropeTheta ?? 10_000,
      ...(defaults.ropeShare === undefined ? {} : { share: defaults.ropeShare }),
      context,
      pairs: (share) => Math.floor(headSize * share) / 2,
    },
    defaults.ropeKind,
  );
  if (rope.ropeShare !== undefined && defaults.ropeShare === undefined)
    found.refuse("partial_rotary_factor", `is ${rope.ropeShare}, but this family rotates whole heads`);
  assertRotated(found, Math.floor(headSize * (rope.ropeShare ?? 1)));
  return {
    vocab: found.size("vocab_size"),
    context,
    layers: found.layerCount("num_hidden_layers"),
    hidden,
    heads,
    kvHeads,
    headSize,
    ffn: found.size("intermediate_size"),
    normEps: found.positive("rms_norm_eps", defaults.normEps ?? 1e-6),
    tiedEmbeddings: found.boolean("tie_word_embeddings", defaults.tied ?? false),
    attentionBias: false,
    ffnBias: false,
    ...rope,
  };
}

export function assertHeads(
  found: FoundConfig,
  { hidden, heads, kvHeads, headSize }: Pick<ModelConfig, "hidden" | "heads" | "kvHeads" | "headSize">,
): void {
  if (!Number.isInteger(headSize))
    found.refuse("hidden_size", `${hidden} is not a multiple of \`num_attention_heads\` ${heads}`);
  if (heads % kvHeads !== 0)
    found.refuse("num_attention_heads", `${heads} is not a multiple of \`num_key_value_heads\` ${kvHeads}`);
}

export function assertRotated(found: FoundConfig, width: number): void {
  if (width < 2 || width % 2 !== 0)
    found.refuse(
      "head_dim",
      `gives heads of which ${width} elements are rotated, but rotary embeddings need an even number`,
    );
}

/** Biases of attention and of feed-forward blocks, as the keys of Llama give them. */
export const readBiases = (found: FoundConfig): Pick<ModelConfig, "attentionBias" | "ffnBias"> => ({
  attentionBias: found.boolean("attention_bias", false),
  ffnBias: found.boolean("mlp_bias", false),
});

export const writeBiases = ({ attentionBias, ffnBias }: ModelConfig): Record<string, unknown> => ({
  attention_bias: attentionBias,
  mlp_bias: ffnBias,
});

const gelus: ReadonlyMap<string, "gelu" | "gelu-tanh"> = new Map([
  ["gelu", "gelu"],
  ["gelu_new", "gelu-tanh"],
  ["gelu_pytorch_tanh", "gelu-tanh"],
  ["gelu_fast", "gelu-tanh"],
]);

/** The GELU that a key of the configuration names. */
export function readGelu(found: FoundConfig, key: string, value: string): "gelu" | "gelu-tanh" {
  return (
    gelus.get(value) ?? found.refuse(key, `is ${JSON.stringify(value.slice(0, 100))}, but only GELU can be computed`)
  );
}

/** Layers with a window: those that `layer_types` names, or by the family's own rule. */
export function readWindow(
  found: FoundConfig,
  layers: number,
  isWindowed: (layer: number) => boolean,
): Pick<ModelConfig, "window"> {
  const size = found.get("sliding_window", z.int().min(1));
  const types = found.get("layer_types", z.array(z.enum(["full_attention", "sliding_attention"])));
  if (types && types.length !== layers)
    found.refuse("layer_types", `names ${types.length} layers, but \`num_hidden_layers\` is ${layers}`);
  const windowed = layersWhere(layers, (layer) => (types ? types[layer] === "sliding_attention" : isWindowed(layer)));
  if (windowed.length === 0) return {};
  if (size === undefined) return types ? found.refuse("sliding_window", "is missing") : {};
  return { window: { size, layers: windowed } };
}

/** `layer_types` of a model with a window. */
export const writeLayerTypes = ({ layers, window }: ModelConfig): string[] =>
  Array.from({ length: layers }, (_, layer) =>
    window?.layers.includes(layer) ? "sliding_attention" : "full_attention",
  );

/** The keys of a window that some layers have, or none. */
export const writeWindow = (config: ModelConfig): Record<string, unknown> => ({
  use_sliding_window: config.window !== undefined,
  sliding_window: config.window?.size ?? null,
  layer_types: writeLayerTypes(config),
});

/** The keys of `readDecoder`. */
export function writeDecoder(config: ModelConfig): Record<string, unknown> {
  return {
    vocab_size: config.vocab,
    max_position_embeddings: config.context,
    num_hidden_layers: config.layers,
    hidden_size: config.hidden,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headSize,
    intermediate_size: config.ffn,
    hidden_act: "silu",
    ...writeRope(config, config.context),
    rms_norm_eps: config.normEps,
    tie_word_embeddings: config.tiedEmbeddings,
  };
}
