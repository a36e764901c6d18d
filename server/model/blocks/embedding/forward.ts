import { add, broadcastTo, div, matMul, mul, reshape, type Tensor } from "@tensorflow/tfjs-core";
import { embedding } from "../../../ops/embedding.ts";
import { named, type Tensors } from "../../../ops/program.ts";
import { softCapped } from "../../../ops/softCap.ts";
import { EMBEDDING, HEAD, POSITIONS } from "../../../parameters/names.ts";
import type { ModelConfig } from "../../../protocol/model.ts";

/**
 * Embeddings of tokens [B, T] int32 at `positions` [B or 1, T] int32: [N, D], N = B*T. Positions count where they are
 * learned.
 */
export function embed(params: Tensors, tokens: Tensor, positions: Tensor, config: ModelConfig): Tensor {
  const factor = config.multipliers?.embedding;
  const ofTokens = embedding(named(params, EMBEDDING), reshape(tokens, [tokens.size]));
  const scaled = factor === undefined ? ofTokens : mul(ofTokens, factor);
  if (!config.positions) return scaled;
  const everywhere = broadcastTo(positions, tokens.shape as [number, number]);
  return add(scaled, embedding(named(params, POSITIONS), reshape(everywhere, [tokens.size])));
}

/** Next-token logits: hidden states [R, D] -> [R, V]. The embedding matrix serves as the head if the two are tied. */
export function head(params: Tensors, hidden: Tensor, config: ModelConfig): Tensor {
  const { tiedEmbeddings, logitsDivisor, softCap } = config;
  const product = matMul(hidden, named(params, tiedEmbeddings ? EMBEDDING : HEAD), false, true);
  const logits = logitsDivisor === undefined ? product : div(product, logitsDivisor);
  return softCap?.logits === undefined ? logits : softCapped(logits, softCap.logits);
}
