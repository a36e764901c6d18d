import { linearLayer, type ParameterDeclaration, residualDeviation } from "../../../parameters/declaration.ts";
import { attentionPrefix, keyNormName, queryNormName } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";
import { type BlockDeclaration, wholeBlock } from "../declaration.ts";
import { normParameters } from "../norm/declaration.ts";

/** Norms of queries and keys, by head or of all heads at once. */
function queryKeyNorms(config: ModelConfig, layer: number): ParameterDeclaration[] {
  const { qkNorm, heads, kvHeads, headSize } = config;
  if (!qkNorm) return [];
  const width = (count: number) => (qkNorm === "head" ? headSize : count * headSize);
  return [
    ...normParameters(queryNormName(layer), config, width(heads)),
    ...normParameters(keyNormName(layer), config, width(kvHeads)),
  ];
}

/**
 * Grouped-query self-attention: q and o [D, H*d], k and v [D, kvHeads*d].
 *
 * Multiply-adds per token in addition to the projections: T * H * d for the scores and the same again for the weighted
 * sum of values. Both count the whole T x T matrix, although the causal mask leaves half of it empty.
 *
 * Kept for the backward pass: the layer's input, both norms' outputs and two residual sums; q, k, v, rotated q and k,
 * k and v repeated to H heads, the weighted values; scores and probabilities [B, H, T, T].
 */
export function attention(config: ModelConfig, layer: number): BlockDeclaration {
  const { hidden, heads, kvHeads, headSize, attentionBias, layers, context } = config;
  const [query, keyValue] = [heads * headSize, kvHeads * headSize];
  const into = (name: string, out: number) =>
    linearLayer({
      name: `${attentionPrefix(layer)}.${name}`,
      out,
      input: hidden,
      hasBias: attentionBias,
      group: "attention",
    });
  const output = linearLayer({
    name: `${attentionPrefix(layer)}.o_proj`,
    out: hidden,
    input: query,
    hasBias: config.outputBias ?? attentionBias,
    group: "attention",
    deviation: residualDeviation(layers),
  });
  const projections = [...into("q_proj", query), ...into("k_proj", keyValue), ...into("v_proj", keyValue)];
  return wholeBlock([...projections, ...queryKeyNorms(config, layer), ...output], {
    multiplyAdds: 2 * context * query,
    kept({ batch, time, share }) {
      const tokens = batch * time;
      const products = tokens * (5 * query + 3 * keyValue) + 2 * batch * heads * time ** 2;
      return tokens * 5 * hidden + share * products;
    },
  });
}
