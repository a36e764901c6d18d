import { isMoeLayer } from "../../../server/model/declaration.ts";
import {
  expertNames,
  feedForwardNames,
  layerPrefix,
  routerBiasName,
  routerName,
} from "../../../server/parameters/names.ts";
import type { ModelConfig, RouterConfig } from "../../../server/protocol/model.ts";

/** A parameter by name: rows of [out, in] weights, or one row of norms and biases. */
export type Weights = Map<string, number[][]>;

const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const plus = (a: number[], b: number[]): number[] => a.map((x, i) => x + b[i]!);
const scaled = (a: number[], by: number): number[] => a.map((x) => x * by);

export function softmax(scores: number[]): number[] {
  const largest = Math.max(...scores);
  const exps = scores.map((score) => Math.exp(score - largest));
  const total = exps.reduce((sum, x) => sum + x, 0);
  return exps.map((x) => x / total);
}

function linear(weights: Weights, name: string, x: number[]): number[] {
  const out = weights.get(`${name}.weight`)!.map((row) => dot(row, x));
  const bias = weights.get(`${name}.bias`)?.[0];
  return bias ? plus(out, bias) : out;
}

function norm(x: number[], weight: number[], eps: number): number[] {
  const rms = Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((value, i) => (value / rms) * weight[i]!);
}

/** Hugging Face's rotate_half, on one head. */
function rotate(head: number[], position: number, theta: number): number[] {
  const half = head.length / 2;
  return head.map((value, i) => {
    const angle = position * theta ** (-(i % half) / half);
    return value * Math.cos(angle) + (i < half ? -head[i + half]! : head[i - half]!) * Math.sin(angle);
  });
}

function attention(weights: Weights, layer: number, xs: number[][], config: ModelConfig): number[][] {
  const { heads, kvHeads, headSize, ropeTheta } = config;
  const prefix = `${layerPrefix(layer)}.self_attn`;
  const split = (name: string) =>
    xs.map((x) => {
      const y = linear(weights, `${prefix}.${name}`, x);
      return Array.from({ length: y.length / headSize }, (_, h) => y.slice(h * headSize, (h + 1) * headSize));
    });
  const turned = (rows: number[][][]) => rows.map((row, t) => row.map((head) => rotate(head, t, ropeTheta)));
  const [q, k, v] = [turned(split("q_proj")), turned(split("k_proj")), split("v_proj")];
  return q.map((row, t) => {
    const out = row.flatMap((query, h) => {
      const shared = Math.floor((h * kvHeads) / heads);
      const p = softmax(k.slice(0, t + 1).map((keys) => dot(query, keys[shared]!) / Math.sqrt(headSize)));
      return p.map((share, s) => scaled(v[s]![shared]!, share)).reduce(plus);
    });
    return linear(weights, `${prefix}.o_proj`, out);
  });
}

interface Block {
  gate: string;
  up: string;
  down: string;
}

function feedForward(weights: Weights, { gate, up, down }: Block, x: number[]): number[] {
  const ups = linear(weights, up, x);
  const hidden = linear(weights, gate, x).map((g, i) => (g / (1 + Math.exp(-g))) * ups[i]!);
  return linear(weights, down, hidden);
}

const best = (scores: number[], k: number): number[] =>
  scores
    .map((_, expert) => expert)
    .sort((a, b) => scores[b]! - scores[a]!)
    .slice(0, k);

/** Gate of each expert [E] of one token outside training, 0 where it does not go; `noise` [E] for routers that draw. */
function gatesOf(router: RouterConfig, first: boolean, logits: number[], bias: number[], noise: number[]): number[] {
  const probabilities = softmax(logits);
  const only = (chosen: number[], gates: (expert: number) => number) =>
    logits.map((_, expert) => (chosen.includes(expert) ? gates(expert) : 0));
  switch (router.type) {
    case "top-k": {
      const chosen = best(router.balance === "bias" ? plus(probabilities, bias) : logits, router.k);
      const total = chosen.reduce((sum, expert) => sum + probabilities[expert]!, 0);
      return only(chosen, (expert) => probabilities[expert]! / (router.softmax === "before" ? 1 : total));
    }
    case "switch":
      return only(best(logits, 1), (expert) => probabilities[expert]!);
    case "soft":
      return probabilities;
    case "sample-top-1":
      return first ? probabilities : only(best(plus(logits, noise), 1), () => 1);
  }
}

/** Is told of every token of every Mixture-of-Experts layer: the router's softmax [E], and each expert's gate [E]. */
export type RoutedToken = (layer: number, token: number, probabilities: number[], gates: number[]) => void;

function mixture(
  weights: Weights,
  layer: number,
  x: number[],
  config: ModelConfig,
  noise: number[],
  tell: (probabilities: number[], gates: number[]) => void,
): number[] {
  const logits = weights.get(routerName(layer))!.map((row) => dot(row, x));
  const bias = weights.get(routerBiasName(layer))?.[0] ?? [];
  const gates = gatesOf(config.moe!.router, layer === config.moe!.layers[0], logits, bias, noise);
  tell(softmax(logits), gates);
  return gates.map((gate, e) => scaled(feedForward(weights, expertNames(layer, e), x), gate)).reduce(plus);
}

/**
 * The model by plain loops in double precision, outside training: next-token scores [T][V] of one sequence. `noise`
 * [Lmoe][T][E] for routers that draw.
 */
export function referenceLogits(
  weights: Weights,
  tokens: number[],
  config: ModelConfig,
  noise?: number[][][],
  routed: RoutedToken = () => {},
): number[][] {
  const one = (name: string) => weights.get(name)![0]!;
  let xs = tokens.map((token) => weights.get("model.embed_tokens.weight")![token]!);
  for (let layer = 0; layer < config.layers; layer++) {
    const normed = (name: string) =>
      xs.map((x) => norm(x, one(`${layerPrefix(layer)}.${name}.weight`), config.normEps));
    const attended = attention(weights, layer, normed("input_layernorm"), config);
    xs = xs.map((x, t) => plus(x, attended[t]!));
    const noiseAt = (t: number) => noise?.[config.moe!.layers.indexOf(layer)]?.[t] ?? [];
    const block = (x: number[], t: number) =>
      isMoeLayer(config, layer)
        ? mixture(weights, layer, x, config, noiseAt(t), (...routing) => routed(layer, t, ...routing))
        : feedForward(weights, feedForwardNames(layer), x);
    const fed = normed("post_attention_layernorm").map(block);
    xs = xs.map((x, t) => plus(x, fed[t]!));
  }
  const head = weights.get(config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight")!;
  return xs.map((x) => {
    const hidden = norm(x, one("model.norm.weight"), config.normEps);
    return head.map((row) => dot(row, hidden));
  });
}
