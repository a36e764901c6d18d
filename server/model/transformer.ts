import { add, expandDims, matMul, ones, range, reshape, type Scalar, type Tensor } from "@tensorflow/tfjs-core";
import { causalAttention, causalBlocks } from "../ops/causalAttention.ts";
import { embedding } from "../ops/embedding.ts";
import { rmsNorm } from "../ops/rmsNorm.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { Routing } from "../routers/router.ts";
import { type AttentionCore, attention } from "./attention.ts";
import { feedForward } from "./feedForward.ts";
import { moe } from "./moe.ts";
import { EMBEDDING, FINAL_NORM, HEAD, isMoeLayer, layerPrefix } from "./parameters.ts";
import { named, type Tensors } from "./program.ts";
import { type RotaryTables, rotaryTables } from "./rotary.ts";

/** How one forward pass differs from another: training sees the whole sequence, decoding a cache. */
export interface Pass {
  tables: RotaryTables;
  /** What each layer's queries see. */
  core: (layer: number) => AttentionCore;
  /** [N, 1]: how much each token counts in the routers' auxiliary loss. */
  weights: Tensor;
}

/**
 * The decoder without its head: tokens [B, T] int32 give the normed hidden states [N, D], N = B*T, and the routing of
 * each Mixture-of-Experts layer. Pre-norm blocks as in Llama: x + attention(norm(x)), x + feedForward(norm(x)).
 */
export function decoder(
  params: Tensors,
  tokens: Tensor,
  pass: Pass,
  config: ModelConfig,
): { hidden: Tensor; routings: Routing[] } {
  const routings: Routing[] = [];
  const norm = (name: string, x: Tensor) => rmsNorm(x, named(params, name), config.normEps);
  let x: Tensor = embedding(named(params, EMBEDDING), reshape(tokens, [tokens.size]));
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = layerPrefix(layer);
    const attended = norm(`${prefix}.input_layernorm.weight`, x);
    x = add(x, attention(params, layer, attended, pass.tables, pass.core(layer), config));
    const normed = norm(`${prefix}.post_attention_layernorm.weight`, x);
    if (config.moe && isMoeLayer(config, layer)) {
      const { output, routing } = moe(params, layer, normed, pass.weights, config.moe);
      routings.push(routing);
      x = add(x, output);
    } else {
      x = add(x, feedForward(params, layer, normed));
    }
  }
  return { hidden: norm(FINAL_NORM, x), routings };
}

/** Next-token scores of hidden states [R, D]: [R, V]. The head is the embedding where the two are tied. */
export const head = (params: Tensors, hidden: Tensor, config: ModelConfig): Tensor =>
  matMul(hidden, named(params, config.tiedEmbeddings ? EMBEDDING : HEAD), false, true);

/** The pass in which every token sees itself and the tokens before it: training and evaluation. */
export function wholeSequences(time: number, weights: Tensor, config: ModelConfig): Pass {
  const positions = expandDims(range(0, time, 1, "int32"), 0);
  const blocks = causalBlocks(time, config.heads / config.kvHeads);
  return {
    tables: rotaryTables(config, positions, time),
    core: () => (q, k, v) => causalAttention(q, k, v, blocks),
    weights,
  };
}

export interface ForwardPass {
  /** [N, V] */
  logits: Tensor;
  /** One a Mixture-of-Experts layer, in the order of layers. */
  routings: Routing[];
  /** Sum of the layers' auxiliary losses; absent where no router has one. */
  auxiliaryLoss?: Scalar;
}

/**
 * The whole model: tokens [B, T] int32 give next-token scores of all N = B*T positions. `weights` [N, 1] says how much
 * each token counts in the auxiliary loss; all alike where it is left out.
 */
export function logits(params: Tensors, tokens: Tensor, config: ModelConfig, weights?: Tensor): ForwardPass {
  const [batch, time] = tokens.shape as [number, number];
  const pass = wholeSequences(time, weights ?? ones([batch * time, 1]), config);
  const { hidden, routings } = decoder(params, tokens, pass, config);
  const scores = head(params, hidden, config);
  const losses = routings.flatMap(({ auxiliaryLoss }) => (auxiliaryLoss ? [auxiliaryLoss] : []));
  if (losses.length === 0) return { logits: scores, routings };
  return { logits: scores, routings, auxiliaryLoss: losses.reduce((total, loss) => add(total, loss)) };
}
