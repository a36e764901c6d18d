import { add, expandDims, ones, range, reshape, type Scalar, type Tensor } from "@tensorflow/tfjs-core";
import { type Arithmetic, inFloat16, inFloat32 } from "../ops/arithmetic.ts";
import { causalAttention, causalBlocks } from "../ops/causalAttention.ts";
import type { Tensors } from "../ops/program.ts";
import {
  attentionNormName,
  attentionPrefix,
  FINAL_NORM,
  feedForwardNames,
  feedForwardNormName,
  feedForwardPrefix,
} from "../parameters/names.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { TrainingConfig } from "../protocol/stage.ts";
import { type AttentionCore, attention } from "./blocks/attention/forward.ts";
import { type RotaryTables, rotaryTables } from "./blocks/attention/rotaryTables.ts";
import { embed, head } from "./blocks/embedding/forward.ts";
import { feedForward } from "./blocks/feedForward/forward.ts";
import { type LayerRouting, moe } from "./blocks/moe/forward.ts";
import { norm } from "./blocks/norm/forward.ts";
import { parametersOf, plainBlock, recomputedBlock } from "./blocks/recompute.ts";
import { isMoeLayer } from "./declaration.ts";
import { layerInputs, type RoutingInputs } from "./routingInputs.ts";

/** What differs between forward passes: training sees whole sequences, decoding sees a cache. */
export interface Pass {
  tables: RotaryTables;
  /** What each layer's queries see. */
  core: (layer: number) => AttentionCore;
  routing: RoutingInputs;
  /** Attention and feed-forward blocks keep only their inputs and recompute the rest in the backward pass. */
  recompute?: boolean;
  /** Used in attention and feed-forward blocks; routers, norms and the head always compute in float32. */
  arithmetic?: Arithmetic;
}

/**
 * The decoder without its head. From tokens [B, T] int32 it computes the normed hidden states [N, D], N = B*T, the
 * routing of each Mixture-of-Experts layer, and the input [N, D] of each layer's feed-forward block.
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
  const tokenIds = reshape(tokens, [tokens.size]);
  /** Router state of the last Mixture-of-Experts layer; dense layers pass it on. */
  let state: Tensor | undefined;
  let x: Tensor = embed(params, tokenIds);
  for (let layer = 0; layer < config.layers; layer++) {
    const attended = norm(params, attentionNormName(layer), x, config);
    const ofAttention = parametersOf(params, `${attentionPrefix(layer)}.`);
    x = add(
      x,
      block(attended, ofAttention, (given, own) =>
        attention(own, layer, given, pass.tables, pass.core(layer), arithmetic, config),
      ),
    );
    const normed = norm(params, feedForwardNormName(layer), x, config);
    blockInputs.push(normed);
    if (config.moe && isMoeLayer(config, layer)) {
      const inputs = layerInputs(pass.routing, routings.length);
      const given = { ...inputs, params, layer, tokenIds, ...(state ? { state } : {}) };
      const { output, routing } = moe(normed, given, config.moe, { block, arithmetic });
      routings.push(routing);
      state = routing.state;
      x = add(x, output);
    } else {
      const names = feedForwardNames(layer);
      x = add(
        x,
        block(normed, parametersOf(params, feedForwardPrefix(layer)), (given, own) =>
          feedForward(own, names, given, arithmetic),
        ),
      );
    }
  }
  return { hidden: norm(params, FINAL_NORM, x, config), routings, blockInputs };
}

/** Training options that affect how blocks compute; see `TrainingConfig`. */
export type Computing = Pick<TrainingConfig, "recompute" | "precision" | "routerStage">;

/** A forward pass over whole sequences with a causal mask, for training and evaluation. */
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
  /** One per Mixture-of-Experts layer, in the order of layers. */
  routings: LayerRouting[];
  /** The routers' auxiliary losses by name, each summed over layers. */
  losses: Record<string, Scalar>;
  /** Sum of all auxiliary losses of all layers; absent if no router has one. */
  auxiliaryLoss?: Scalar;
}

const sumOf = (scalars: Scalar[]): Scalar => scalars.reduce((total, scalar) => add(total, scalar));

/** The auxiliary losses of all layers by name, and their sum, which adds up each layer's losses first. */
function auxiliaryLosses(routings: readonly LayerRouting[]): Pick<ForwardPass, "losses" | "auxiliaryLoss"> {
  const layers = routings.flatMap(({ losses }) => (losses && Object.keys(losses).length > 0 ? [losses] : []));
  if (layers.length === 0) return { losses: {} };
  const names = [...new Set(layers.flatMap((losses) => Object.keys(losses)))];
  const auxiliaryLoss = sumOf(layers.map((losses) => sumOf(Object.values(losses))));
  const [only] = names;
  if (names.length === 1) return { losses: { [only!]: auxiliaryLoss }, auxiliaryLoss };
  const byName = (name: string) => sumOf(layers.flatMap((losses) => losses[name] ?? []));
  return { losses: Object.fromEntries(names.map((name) => [name, byName(name)])), auxiliaryLoss };
}

/**
 * The whole model: next-token logits for all N = B*T positions of tokens [B, T] int32. By default `routing` is that of
 * an evaluation in which every token counts. `computing` is passed to `wholeSequences`.
 */
export function logits(
  params: Tensors,
  tokens: Tensor,
  config: ModelConfig,
  routing: RoutingInputs = { mode: "evaluation", stage: "fixed", weights: ones([tokens.size, 1]) },
  computing: Computing = {},
): ForwardPass {
  const pass = wholeSequences(tokens.shape[1]!, routing, config, computing);
  const { hidden, routings } = decoder(params, tokens, pass, config);
  return { logits: head(params, hidden, config), routings, ...auxiliaryLosses(routings) };
}
