import { layerPrefix } from "../../parameters/names.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { StoredTensor } from "../storedTensors.ts";
import { readDecoder, readWindow, writeDecoder } from "./decoder.ts";
import { allLayers, type Family } from "./family.ts";
import { longRopeAttention } from "./rope.ts";

/** LongRoPE as Transformers 4 wants it, which computes the factor of the attention itself from both contexts. */
function plainLongRope({ ropeScaling: scaling, context }: ModelConfig): Record<string, unknown> {
  if (
    scaling?.type !== "longrope" ||
    scaling.attention !== longRopeAttention(context / scaling.original, scaling.original)
  )
    return {};
  return { rope_scaling: { type: "longrope", short_factor: scaling.short, long_factor: scaling.long } };
}

/** Phi-3, 3.5 and 4: fused projections, LongRoPE. */
export const phi3: Family = {
  type: "phi3",
  architecture: "Phi3ForCausalLM",
  read(found) {
    const config = readDecoder(found, { normEps: 1e-5, ropeShare: 1 });
    return { ...config, family: "phi3", ...readWindow(found, config.layers, () => true) };
  },
  write: (config) => ({
    ...writeDecoder(config),
    ...plainLongRope(config),
    original_max_position_embeddings:
      config.ropeScaling && "original" in config.ropeScaling ? config.ropeScaling.original : config.context,
    sliding_window: config.window?.size ?? null,
  }),
  stored(config) {
    const { heads, kvHeads, headSize, ffn } = config;
    return allLayers(config).flatMap((layer): StoredTensor[] => {
      const prefix = layerPrefix(layer);
      const part = (name: string, rows: number) => ({ name: `${prefix}.${name}.weight`, rows });
      return [
        {
          name: `${prefix}.self_attn.qkv_proj.weight`,
          parts: [
            part("self_attn.q_proj", heads * headSize),
            part("self_attn.k_proj", kvHeads * headSize),
            part("self_attn.v_proj", kvHeads * headSize),
          ],
        },
        {
          name: `${prefix}.mlp.gate_up_proj.weight`,
          parts: [part("mlp.gate_proj", ffn), part("mlp.up_proj", ffn)],
        },
      ];
    });
  },
};
