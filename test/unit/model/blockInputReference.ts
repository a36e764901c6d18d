import { feedForwardNames, layerPrefix } from "../../../server/parameters/names.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { referenceLogits, type Weights } from "./reference.ts";

/**
 * What a dense model's layer gives its feed-forward block, by plain loops: [T][D] of one sequence. It is the output of
 * the model that ends with this layer, whose block gives 0, whose final norm is that of the block and whose head is 1.
 */
export function referenceBlockInputs(
  weights: Weights,
  tokens: number[],
  config: ModelConfig,
  layer: number,
): number[][] {
  const { down } = feedForwardNames(layer);
  const zero = (name: string): [string, number[][]][] => {
    const rows = weights.get(name);
    return rows ? [[name, rows.map((row) => row.map(() => 0))]] : [];
  };
  const identity = Array.from({ length: config.hidden }, (_, i) =>
    Array.from({ length: config.hidden }, (_, j) => (i === j ? 1 : 0)),
  );
  const ended: Weights = new Map([
    ...weights,
    ...zero(`${down}.weight`),
    ...zero(`${down}.bias`),
    ["model.norm.weight", weights.get(`${layerPrefix(layer)}.post_attention_layernorm.weight`)!],
    ["lm_head.weight", identity],
  ]);
  return referenceLogits(ended, tokens, { ...config, layers: layer + 1, tiedEmbeddings: false });
}
