import * as tf from "@tensorflow/tfjs-core";
import { drawsExperts, gumbelNoise, noiseShape } from "../../../server/model/noise.ts";
import { parameterShapes } from "../../../server/model/parameters.ts";
import { randomStream } from "../../../server/model/random.ts";
import type { Tensors } from "../../../server/ops/program.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { randomInputs } from "../ops/support.ts";
import type { Weights } from "./reference.ts";

const base: ModelConfig = {
  vocab: 11,
  context: 6,
  layers: 2,
  hidden: 8,
  heads: 4,
  kvHeads: 2,
  headSize: 4,
  ffn: 10,
  ropeTheta: 100,
  normEps: 1e-5,
  tiedEmbeddings: false,
  attentionBias: false,
  ffnBias: false,
};

const router = { type: "top-k" as const, k: 2, loadBalance: 0.5 };

const experts = ["a", "b", "c"];

/** Tiny models that together meet every choice of a configuration. */
export const models: Record<string, ModelConfig> = {
  "grouped queries, biases, untied": { ...base, attentionBias: true, ffnBias: true },
  "tied embeddings, a head of its own for each query": { ...base, tiedEmbeddings: true, kvHeads: 4 },
  "Mixture-of-Experts": { ...base, moe: { experts, layers: [0, 1], router } },
  "Mixture-of-Experts in one layer, with biases": {
    ...base,
    ffnBias: true,
    moe: { experts, layers: [1], router },
  },
  "narrow experts, softmax before top-k, balanced by a bias": {
    ...base,
    moe: {
      experts,
      layers: [0, 1],
      router: { ...router, softmax: "before", balance: "bias", biasRate: 0.01, zLoss: 0.1 },
      ffn: 7,
    },
  },
  "Switch routing": {
    ...base,
    moe: {
      experts,
      layers: [0, 1],
      router: { type: "switch", capacity: 0.75, loadBalance: 0.5, balance: "switch", zLoss: 0.1 },
    },
  },
  "soft routing, with biases": {
    ...base,
    ffnBias: true,
    moe: { experts, layers: [0, 1], router: { type: "soft", loadBalance: 0.5 } },
  },
  "sampled top-1 routing": {
    ...base,
    moe: {
      experts,
      layers: [0, 1],
      router: { type: "sample-top-1", temperatureRate: 1, minTemperature: 0.1, loadBalance: 0.5 },
    },
  },
};

/** Parameters with larger random values than training starts from, so that every part matters and routers are decided. */
export function randomParameters(config: ModelConfig, seed = 1): Tensors {
  const draw = (name: string, shape: number[]) => {
    const random = randomStream(seed, name);
    const centre = name.endsWith("norm.weight") ? 1 : 0;
    const deviation = name.includes("block_sparse_moe.gate") ? 1 : 0.4;
    const size = shape.reduce((product, length) => product * length, 1);
    return tf.tensor(
      Array.from({ length: size }, () => centre + deviation * random.normal()),
      shape,
    );
  };
  return Object.fromEntries([...parameterShapes(config)].map(([name, shape]) => [name, draw(name, shape)]));
}

/** A random batch of `size` sequences from two domains; some targets do not count. Routers that draw find their noise. */
export function randomBatch(config: ModelConfig, size: number, seed = 2): Tensors {
  const random = randomInputs(seed);
  const shape = [size, config.context];
  const weights = tf.cast(tf.greater(random.below(5, shape), 0), "float32");
  return {
    tokens: random.below(config.vocab, shape),
    targets: random.below(config.vocab, shape),
    weights,
    domain: random.below(2, [size]),
    ...randomNoise(config, size * config.context, seed),
  };
}

/** What routers that draw read for `tokens` tokens, half through their training; nothing for others. */
export function randomNoise(config: ModelConfig, tokens: number, seed: number): Tensors {
  if (!drawsExperts(config)) return {};
  const noise = tf.tensor(gumbelNoise(config, tokens, seed, 1), noiseShape(config, tokens));
  return { noise, progress: tf.scalar(0.5) };
}

/** Parameters as the reference model reads them. */
export const toWeights = (params: Tensors): Weights =>
  new Map(
    Object.entries(params).map(([name, tensor]) => {
      const rows = tensor.rank === 1 ? [tensor.arraySync()] : tensor.arraySync();
      return [name, rows as number[][]];
    }),
  );

export const scalars = (numbers: Record<string, number>): Tensors =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, tf.scalar(value)]));
