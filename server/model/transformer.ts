import { add, expandDims, matMul, ones, range, reshape, type Scalar, type Tensor } from "@tensorflow/tfjs-core";
import { type Arithmetic, inFloat16, inFloat32 } from "../ops/arithmetic.ts";
import { causalAttention, causalBlocks } from "../ops/causalAttention.ts";
import { embedding } from "../ops/embedding.ts";
import { named, type Tensors } from "../ops/program.ts";
import { rmsNorm } from "../ops/rmsNorm.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { TrainingConfig } from "../protocol/stage.ts";
import { type AttentionCore, attention } from "./attention.ts";
import { parametersOf, plainBlock, recomputedBlock } from "./block.ts";
import { feedForward } from "./feedForward.ts";
import { type LayerRouting, moe } from "./moe.ts";
import { EMBEDDING, FINAL_NORM, feedForwardNames, HEAD, isMoeLayer, layerPrefix } from "./parameters.ts";
import { type RotaryTables, rotaryTables } from "./rotary.ts";
import { layerInputs, type RoutingInputs } from "./routingInputs.ts";

/** How one forward pass differs from another: training sees the whole sequence, decoding a cache. */
export interface Pass {
  tables: RotaryTables;
  /** What each layer's queries see. */
  core: (layer: number) => AttentionCore;
  routing: RoutingInputs;
  /** Attention and feed-forward blocks keep what they are given, and make the rest anew on the way back. */
  recompute?: boolean;
  /** Of the blocks; routers, norms and the head are float32 in any. */
  arithmetic?: Arithmetic;
}

/**
 * The decoder without its head: tokens [B, T] int32 give the normed hidden states [N, D], N = B*T, the routing of
 * each Mixture-of-Experts layer, and the input [N, D] of each layer's feed-forward block.
 * Pre-norm blocks as in Llama: x + attention(norm(x)), x + feedForward(norm(x)).
 */
export function decoder(
  params: Tensors,
  tokens: Tensor,
  pass: Pass,
  config: ModelConfig,
): { hidden: Tensor; routings: LayerRouting[]; blockInputs: Tensor[] } {
  const routings: LayerRouting[] = [];
  const blockInputs: Tensor[] = [];
  const { arithmetic = inFloat32 } = pass;
  const block = pass.recompute ? recomputedBlock : plainBlock;
  const norm = (name: string, x: Tensor) => rmsNorm(x, named(params, name), config.normEps);
  let x: Tensor = embedding(named(params, EMBEDDING), reshape(tokens, [tokens.size]));
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = layerPrefix(layer);
    const attended = norm(`${prefix}.input_layernorm.weight`, x);
    x = add(
      x,
      block(attended, parametersOf(params, `${prefix}.self_attn.`), (given, own) =>
        attention(own, layer, given, pass.tables, pass.core(layer), arithmetic, config),
      ),
    );
    const normed = norm(`${prefix}.post_attention_layernorm.weight`, x);
    blockInputs.push(normed);
    if (config.moe && isMoeLayer(config, layer)) {
      const inputs = layerInputs(pass.routing, routings.length);
      const { output, routing } = moe(params, layer, normed, inputs, config.moe, block, arithmetic);
      routings.push(routing);
      x = add(x, output);
    } else {
      const names = feedForwardNames(layer);
      x = add(
        x,
        block(normed, parametersOf(params, `${prefix}.mlp.`), (given, own) =>
          feedForward(own, names, given, arithmetic),
        ),
      );
    }
  }
  return { hidden: norm(FINAL_NORM, x), routings, blockInputs };
}

/** Next-token scores of hidden states [R, D]: [R, V]. The head is the embedding where the two are tied. */
export const head = (params: Tensors, hidden: Tensor, config: ModelConfig): Tensor =>
  matMul(hidden, named(params, config.tiedEmbeddings ? EMBEDDING : HEAD), false, true);

/** How blocks are computed; see `TrainingConfig`. */
export type Computing = Pick<TrainingConfig, "recompute" | "precision">;

/** The pass in which every token sees itself and the tokens before it: training and evaluation. */
export function wholeSequences(
  time: number,
  routing: RoutingInputs,
  config: ModelConfig,
  { recompute, precision }: Computing = {},
): Pass {
  const arithmetic = precision === "float16" ? inFloat16 : inFloat32;
  const positions = expandDims(range(0, time, 1, "int32"), 0);
  const blocks = causalBlocks(time, config.heads / config.kvHeads);
  return {
    tables: rotaryTables(config, positions, time),
    core: () => (q, k, v) => causalAttention(q, k, v, blocks, arithmetic),
    routing,
    recompute: !!recompute,
    arithmetic,
  };
}

export interface ForwardPass {
  /** [N, V] */
  logits: Tensor;
  /** One a Mixture-of-Experts layer, in the order of layers. */
  routings: LayerRouting[];
  /** Sum of the layers' auxiliary losses; absent where no router has one. */
  auxiliaryLoss?: Scalar;
}

/**
 * The whole model: tokens [B, T] int32 give next-token scores of all N = B*T positions. `routing` is what routers read; it
 * is that of an evaluation in which every token counts where it is left out; `computing` is that of `wholeSequences`.
 */
export function logits(
  params: Tensors,
  tokens: Tensor,
  config: ModelConfig,
  routing: RoutingInputs = { mode: "evaluation", weights: ones([tokens.size, 1]) },
  computing: Computing = {},
): ForwardPass {
  const pass = wholeSequences(tokens.shape[1]!, routing, config, computing);
  const { hidden, routings } = decoder(params, tokens, pass, config);
  const scores = head(params, hidden, config);
  const losses = routings.flatMap(({ auxiliaryLoss }) => (auxiliaryLoss ? [auxiliaryLoss] : []));
  if (losses.length === 0) return { logits: scores, routings };
  return { logits: scores, routings, auxiliaryLoss: losses.reduce((total, loss) => add(total, loss)) };
}
