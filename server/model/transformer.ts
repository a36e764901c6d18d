import { add, expandDims, mul, ones, range, reshape, type Scalar, type Tensor } from "@tensorflow/tfjs-core";
import { type Arithmetic, inFloat16, inFloat32 } from "../ops/arithmetic.ts";
import { causalAttention, causalBlocks } from "../ops/causalAttention.ts";
import type { Tensors } from "../ops/program.ts";
import {
  attentionNormName,
  attentionOutputNormName,
  attentionPrefix,
  FINAL_NORM,
  feedForwardNames,
  feedForwardNormName,
  feedForwardOutputNormName,
  feedForwardPrefix,
} from "../parameters/names.ts";
import type { ModelConfig } from "../protocol/model.ts";
import type { TrainingConfig } from "../protocol/stage.ts";
import { type AttentionCore, attention } from "./blocks/attention/forward.ts";
import { type Positions, rotaryTables } from "./blocks/attention/rotaryTables.ts";
import { embed, head } from "./blocks/embedding/forward.ts";
import { feedForward } from "./blocks/feedForward/forward.ts";
import { type LayerRouting, moe } from "./blocks/moe/forward.ts";
import { norm } from "./blocks/norm/forward.ts";
import { parametersOf, plainBlock, recomputedBlock } from "./blocks/recompute.ts";
import { isMoeLayer } from "./declaration.ts";
import { layerInputs, type RoutingInputs } from "./routingInputs.ts";

/** What differs between forward passes: training sees whole sequences, decoding sees a cache. */
export interface Pass {
  positions: Positions;
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
 * Pre-norm blocks as in Llama, x + attention(norm(x)) and x + feedForward(norm(x)), unless the configuration places
 * norms otherwise or adds both blocks to the same x.
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
  const tables = rotaryTables(config, pass.positions);
  const time = tokens.shape[1]!;
  const { normPlacement } = config;
  const normOf = (name: string, y: Tensor) => norm(params, name, y, config);
  const before = (name: string, y: Tensor) => (normPlacement === "after" ? y : normOf(name, y));
  const after = (name: string, y: Tensor) => (normPlacement ? normOf(name, y) : y);
  const residual = config.multipliers?.residual;
  const added = (y: Tensor, output: Tensor) => add(y, residual === undefined ? output : mul(output, residual));
  /** Router state of the last Mixture-of-Experts layer; dense layers pass it on. */
  let state: Tensor | undefined;
  let x: Tensor = embed(params, tokens, pass.positions.ids, config);
  for (let layer = 0; layer < config.layers; layer++) {
    const ofAttention = parametersOf(params, `${attentionPrefix(layer)}.`);
    const attentionPass = { time, tables: tables(layer), core: pass.core(layer), arithmetic };
    const attended = block(before(attentionNormName(layer), x), ofAttention, (given, own) =>
      attention(own, layer, given, attentionPass, config),
    );
    const beside = x;
    x = added(x, after(attentionOutputNormName(layer), attended));
    const normed = before(feedForwardNormName(layer), config.parallel ? beside : x);
    blockInputs.push(normed);
    if (config.moe && isMoeLayer(config, layer)) {
      const inputs = layerInputs(pass.routing, routings.length);
      const given = { ...inputs, params, layer, tokenIds, ...(state ? { state } : {}) };
      const { output, routing } = moe(normed, given, config.moe, { block, arithmetic, kind: config });
      routings.push(routing);
      state = routing.state;
      x = added(x, after(feedForwardOutputNormName(layer), output));
    } else {
      const names = feedForwardNames(layer);
      const output = block(normed, parametersOf(params, feedForwardPrefix(layer)), (given, own) =>
        feedForward(own, names, given, arithmetic, config),
      );
      x = added(x, after(feedForwardOutputNormName(layer), output));
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
  const group = config.heads / config.kvHeads;
  const { window, softCap } = config;
  const everywhere = causalBlocks(time, group);
  const near = window && window.size < time ? causalBlocks(time, group, { window: window.size }) : everywhere;
  return {
    positions: { ids: positions, length: time },
    core: (layer) => (q, k, v) =>
      causalAttention(q, k, v, window?.layers.includes(layer) ? near : everywhere, arithmetic, softCap?.attention),
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
