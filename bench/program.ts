import { matMul } from "@tensorflow/tfjs-core";
import { type Program, sizeOf, type TensorSpecs, type Values } from "../server/engine/program.ts";
import { compile } from "../server/engine/runtime/compile.ts";
import { Store } from "../server/engine/runtime/store.ts";
import { sequenceBatch } from "../server/model/loss.ts";
import { drawsExperts, gumbelNoise } from "../server/model/noise.ts";
import { adamWInputs, optimizerInputs } from "../server/model/optimizer.ts";
import { initialParameters } from "../server/model/parameters.ts";
import { flopsPerToken } from "../server/model/size.ts";
import { momentShapes, trainStep } from "../server/model/trainStep.ts";
import type { ModelConfig } from "../server/protocol/model.ts";

/** What is measured: something to run again and again, and the floating-point operations of one run. */
export interface Measured {
  run(): Promise<void>;
  flops: number;
  /** Tokens of one run; 0 for a plain product. */
  tokens: number;
  /** ms from the TF.js functions to a program that can be run. */
  compileMs: number;
  dispose(): Promise<void>;
}

/** The model of the table: 3.3 M parameters. */
export const dense: ModelConfig = {
  vocab: 256,
  context: 256,
  layers: 4,
  hidden: 256,
  heads: 4,
  kvHeads: 4,
  headSize: 64,
  ffn: 704,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tiedEmbeddings: false,
  attentionBias: false,
  ffnBias: false,
};

/** 33.6 M parameters, measured with B 4. */
export const large: ModelConfig = { ...dense, vocab: 8192, hidden: 512, layers: 8, heads: 8, kvHeads: 8, ffn: 1408 };

export const mixture: ModelConfig = {
  ...dense,
  moe: { experts: ["a", "b", "c", "d"], layers: [0, 1, 2, 3], router: { type: "top-k", k: 2, loadBalance: 0.01 } },
};

const training = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, clip: 1, weightDecay: 0.1 };

export interface StepOptions {
  /** B */
  sequences?: number;
  /** See `recompute` of the experiment file. */
  recompute?: true;
  /** What the program does without: its results of these names are left out, and what only they need. */
  without?: readonly string[];
}

/** A whole training step, forward, backward and update, as the stages take it: B 8 unless told. */
export async function trainingStep(
  config: ModelConfig,
  threads: number,
  { sequences = 8, recompute, without = [] }: StepOptions = {},
): Promise<Measured> {
  const store = new Store();
  for (const [name, { shape, data }] of initialParameters(config, 1)) store.set(name, shape, data);
  for (const [name, shape] of momentShapes(config)) store.set(name, shape, new Float32Array(sizeOf(shape)));
  const specs: TensorSpecs = sequenceBatch(config, sequences);
  for (const name of optimizerInputs) specs[name] = { shape: [], dtype: "float32" };
  const started = performance.now();
  const whole = trainStep(config, recompute ? { ...training, recompute } : training, 3);
  const step: Program = (state, batch) => {
    const { state: changed, results } = whole(state, batch);
    const kept = Object.entries(results).filter(([name]) => !without.includes(name));
    return { state: changed, results: Object.fromEntries(kept) };
  };
  const program = await compile(step, store, specs, { threads });
  const compileMs = performance.now() - started;
  const tokens = sequences * config.context;
  // Text-like ids: skewed, repeating, the same on every machine.
  const ids = Int32Array.from({ length: tokens }, (_, i) => (i * 7919 + ((i * i) >> 3)) % config.vocab);
  const noise = drawsExperts(config) ? gumbelNoise(config, tokens, 1, 1) : undefined;
  let steps = 0;
  return {
    async run() {
      const scalars = adamWInputs(++steps, 1e-3, training);
      const batch: Record<string, Values> = { tokens: ids, targets: ids, weights: new Float32Array(tokens).fill(1) };
      if (config.moe) batch.domain = Int32Array.from({ length: sequences }, (_, i) => i % 3);
      if (noise) Object.assign(batch, { noise, progress: Float32Array.of(0.5) });
      for (const name of optimizerInputs) batch[name] = Float32Array.of(scalars[name]);
      const { loss } = await program.run(batch);
      if (!Number.isFinite(loss![0])) throw new Error(`the loss is ${loss![0]} at step ${steps}`);
    },
    flops: flopsPerToken(config, { training: true }) * tokens,
    tokens,
    compileMs,
    dispose: () => program.dispose(),
  };
}

/** A plain product [M, K] [N, K]^T on the same engine. */
export async function gemm(m: number, k: number, n: number, threads: number): Promise<Measured> {
  const specs: TensorSpecs = { a: { shape: [m, k], dtype: "float32" }, b: { shape: [n, k], dtype: "float32" } };
  const started = performance.now();
  const program = await compile(
    (_state, { a, b }) => ({ state: {}, results: { c: matMul(a!, b!, false, true) } }),
    new Store(),
    specs,
    { threads },
  );
  const compileMs = performance.now() - started;
  const batch = { a: new Float32Array(m * k).fill(0.5), b: new Float32Array(n * k).fill(0.25) };
  return {
    async run() {
      await program.run(batch);
    },
    flops: 2 * m * k * n,
    tokens: 0,
    compileMs,
    dispose: () => program.dispose(),
  };
}
