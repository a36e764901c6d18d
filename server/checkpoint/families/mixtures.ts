import * as z from "zod";
import { expertNames, layerPrefix, routerName } from "../../parameters/names.ts";
import { expertsPerToken, type ModelConfig, type MoeConfig } from "../../protocol/model.ts";
import { renamed, type StoredTensor } from "../storedTensors.ts";
import { readDecoder, readWindow } from "./decoder.ts";
import { allLayers, type Family, type FoundConfig, layersWhere } from "./family.ts";
import { granite } from "./granite.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { qwen3 } from "./qwen.ts";

/** Mixtures-of-Experts that Transformers knows: which of ours they can hold, and how they are written. */
export interface MixtureFamily extends Family {
  /** Key of `config.json` with the number of experts. */
  countKey: string;
  /** Whether a model computes exactly what Transformers computes for this type. */
  holds(config: ModelConfig): boolean;
}

const isEverywhere = ({ moe, layers }: ModelConfig): boolean => moe?.layers.length === layers;

/** Whether the router is the usual one: top-k, chosen without a bias, with the softmax after the choice. */
const isTopK = ({ moe }: ModelConfig, softmax: undefined | "before" = undefined): boolean =>
  moe?.router.type === "top-k" && moe.router.softmax === softmax && moe.router.balance !== "bias";

const count = z.int().min(1).max(1024);

/** The experts and the router that a configuration's own keys describe; experts are named by number. */
function readExperts(found: FoundConfig, countKey: string, layers: number[], softmax?: "before"): MoeConfig {
  const experts = found.get(countKey, count) ?? found.get("num_experts", count) ?? 8;
  return {
    experts: Array.from({ length: experts }, (_, expert) => `expert${expert}`),
    layers,
    router: {
      type: "top-k",
      k: found.size("num_experts_per_tok", 2),
      ...(softmax ? { softmax } : {}),
      loadBalance: found.get("router_aux_loss_coef", z.number().min(0)) ?? 0.001,
    },
  };
}

/** Keys of experts and router that all types share. */
function writeExperts({ moe }: ModelConfig, countKey: string): Record<string, unknown> {
  return {
    [countKey]: moe?.experts.length,
    num_experts_per_tok: moe && expertsPerToken(moe, moe.layers.length - 1),
    router_aux_loss_coef: moe?.router.loadBalance,
    output_router_logits: false,
  };
}

/** Mixtral: Llamas or Mistrals in all layers. */
export const mixtral: MixtureFamily = {
  type: "mixtral",
  architecture: "MixtralForCausalLM",
  countKey: "num_local_experts",
  holds(config) {
    const { family, attentionBias, ffnBias, ropeScaling } = config;
    const isPlain = !attentionBias && !ffnBias && !ropeScaling;
    return isEverywhere(config) && isTopK(config) && isPlain && (family === undefined || family === "mistral");
  },
  read(found) {
    const dense = readDecoder(found, { kvHeads: 8, ropeTheta: 1_000_000, normEps: 1e-5 });
    if (dense.ropeScaling) found.refuse("rope_scaling", "is not computed by all versions of Mixtral");
    const { window } = readWindow(found, dense.layers, () => true);
    const moe = readExperts(found, "num_local_experts", allLayers(dense));
    return { ...dense, ...(window ? { family: "mistral" as const, window } : {}), moe };
  },
  write(config) {
    const { moe, ffn, window } = config;
    const { attention_bias: _, mlp_bias: __, ...keys } = (config.family ? mistral : llama).write(config);
    return {
      ...keys,
      intermediate_size: moe?.ffn ?? ffn,
      ...writeExperts(config, "num_local_experts"),
      router_jitter_noise: 0,
      sliding_window: window?.size ?? null,
    };
  },
};

/** Names of Qwen's and OLMoE's routers and experts: `mlp.gate`, `mlp.experts.0.gate_proj`. */
const storedExperts = ({ moe }: ModelConfig): StoredTensor[] =>
  (moe?.layers ?? []).flatMap((layer) => {
    const block = `${layerPrefix(layer)}.mlp`;
    const experts = (moe?.experts ?? []).flatMap((_, expert) => {
      const { gate, up, down } = expertNames(layer, expert);
      const stored = (part: string) => `${block}.experts.${expert}.${part}.weight`;
      return [
        renamed(stored("gate_proj"), `${gate}.weight`),
        renamed(stored("up_proj"), `${up}.weight`),
        renamed(stored("down_proj"), `${down}.weight`),
      ];
    });
    return [renamed(`${block}.gate.weight`, routerName(layer)), ...experts];
  });

/** Qwen 3's mixtures, some of whose layers may be dense. */
export const qwen3Moe: MixtureFamily = {
  type: "qwen3_moe",
  architecture: "Qwen3MoeForCausalLM",
  countKey: "num_local_experts",
  holds: (config) =>
    config.family === "qwen3" && !config.ffnBias && !config.window && (isTopK(config) || isTopK(config, "before")),
  read(found) {
    found.expect("use_sliding_window", false);
    const dense = qwen3.read(found);
    const step = found.size("decoder_sparse_step", 1);
    const without = found.get("mlp_only_layers", z.array(z.int().min(0))) ?? [];
    const layers = layersWhere(dense.layers, (layer) => (layer + 1) % step === 0 && !without.includes(layer));
    const softmax = found.boolean("norm_topk_prob", false) ? undefined : "before";
    const moe = readExperts(found, "num_local_experts", layers, softmax);
    const width = found.size("moe_intermediate_size", dense.ffn);
    return { ...dense, moe: { ...moe, ...(width === dense.ffn ? {} : { ffn: width }) } };
  },
  write(config) {
    const { layer_types: _, max_window_layers: __, ...keys } = qwen3.write(config);
    return {
      ...keys,
      ...writeExperts(config, "num_experts"),
      num_local_experts: config.moe?.experts.length,
      moe_intermediate_size: config.moe?.ffn ?? config.ffn,
      norm_topk_prob: isTopK(config),
      decoder_sparse_step: 1,
      mlp_only_layers: allLayers(config).filter((layer) => !config.moe?.layers.includes(layer)),
    };
  },
  stored: storedExperts,
};

/** OLMoE: norms of all queries and keys. */
export const olmoe: MixtureFamily = {
  type: "olmoe",
  architecture: "OlmoeForCausalLM",
  countKey: "num_experts",
  holds: (config) => config.family === "olmoe" && isEverywhere(config) && (isTopK(config) || isTopK(config, "before")),
  read(found) {
    found.expect("clip_qkv", null);
    const dense = readDecoder(found, { normEps: 1e-5 });
    const softmax = found.boolean("norm_topk_prob", false) ? undefined : "before";
    return {
      ...dense,
      family: "olmoe",
      attentionBias: found.boolean("attention_bias", false),
      qkNorm: "whole",
      moe: readExperts(found, "num_experts", allLayers(dense), softmax),
    };
  },
  write(config) {
    const { head_dim: _, mlp_bias: __, ...keys } = llama.write(config);
    return { ...keys, ...writeExperts(config, "num_experts"), clip_qkv: null, norm_topk_prob: isTopK(config) };
  },
  stored: storedExperts,
};

/** Granite's mixtures: all experts of a layer in one tensor. */
export const graniteMoe: MixtureFamily = {
  type: "granitemoe",
  architecture: "GraniteMoeForCausalLM",
  countKey: "num_local_experts",
  holds: (config) => config.family === "granite" && !config.ffnBias && isEverywhere(config) && isTopK(config),
  read(found) {
    const dense = granite.read(found);
    return { ...dense, moe: readExperts(found, "num_local_experts", allLayers(dense)) };
  },
  write(config) {
    const { mlp_bias: _, ...keys } = granite.write(config);
    return {
      ...keys,
      intermediate_size: config.moe?.ffn ?? config.ffn,
      ...writeExperts(config, "num_local_experts"),
    };
  },
  stored(config) {
    const { moe, hidden } = config;
    const width = moe?.ffn ?? config.ffn;
    return (moe?.layers ?? []).flatMap((layer): StoredTensor[] => {
      const block = `${layerPrefix(layer)}.block_sparse_moe`;
      const experts = (moe?.experts ?? []).map((_, expert) => expertNames(layer, expert));
      const layout = { type: "experts" as const, experts: experts.length };
      const part = (name: string, rows: number) => ({ name: `${name}.weight`, rows });
      return [
        renamed(`${block}.router.layer.weight`, routerName(layer)),
        {
          name: `${block}.input_linear.weight`,
          parts: experts.flatMap(({ gate, up }) => [part(gate, width), part(up, width)]),
          layout,
        },
        {
          name: `${block}.output_linear.weight`,
          parts: experts.map(({ down }) => part(down, hidden)),
          layout,
        },
      ];
    });
  },
};

export const mixtures: ReadonlyMap<string, MixtureFamily> = new Map(
  [mixtral, qwen3Moe, olmoe, graniteMoe].map((family) => [family.type, family]),
);

/** The type that can hold a mixture exactly; undefined if none can. */
export const mixtureFamilyOf = (config: ModelConfig): MixtureFamily | undefined =>
  [...mixtures.values()].find((family) => family.holds(config));
