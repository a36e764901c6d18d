import { matMul } from "@tensorflow/tfjs-core";
import type { Engine } from "../server/engine/engine.ts";
import { compile } from "../server/engine/onnx/compile.ts";
import { Store } from "../server/engine/store.ts";
import { sequenceBatch } from "../server/model/loss.ts";
import { drawsExperts, gumbelNoise } from "../server/model/noise.ts";
import { adamWInputs, optimizerInputs } from "../server/model/optimizer.ts";
import { initialParameters } from "../server/model/parameters.ts";
import { randomStream } from "../server/model/random.ts";
import { flopsPerToken } from "../server/model/size.ts";
import { momentShapes, trainStep } from "../server/model/trainStep.ts";
import { type Program, sizeOf, type TensorSpecs, type Values } from "../server/ops/program.ts";
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

/** 34.1 M parameters, measured with B 4. */
export const large: ModelConfig = { ...dense, vocab: 8192, hidden: 512, layers: 8, heads: 8, kvHeads: 8, ffn: 1408 };

export const mixture: ModelConfig = {
  ...dense,
  moe: { experts: ["a", "b", "c", "d"], layers: [0, 1, 2, 3], router: { type: "top-k", k: 2, loadBalance: 0.01 } },
};

export const training = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, clip: 1, weightDecay: 0.1 };

export interface StepOptions {
  /** B */
  sequences?: number;
  /** See `recompute` of the experiment file. */
  recompute?: true;
  /** See `precision` of the experiment file; the loss scale stays what it is. */
  precision?: "float16";
  /** What the program does without: its results of these names are left out, and what only they need. */
  without?: readonly string[];
}

/** A training step that tells the loss of its last run, nats per token. */
export interface MeasuredStep extends Measured {
  readonly loss: number;
}

/** Different batches that a measured step takes in turn. */
export const BATCHES = 8;
const RANDOM_SEED = 1;

/** The weights that a measured step starts from. */
export const startingWeights = (config: ModelConfig) => initialParameters(config, RANDOM_SEED);

/**
 * Token ids [BATCHES, B, T + 1] in which half of the tokens follow from the one before and half are drawn, small ids
 * more often: there is something to learn. The same on every machine.
 */
export function tokenIds({ vocab, context }: ModelConfig, sequences: number): Int32Array<ArrayBuffer> {
  const random = randomStream(RANDOM_SEED, "tokens");
  let last = 0;
  return Int32Array.from({ length: BATCHES * sequences * (context + 1) }, () => {
    last = random.uniform() < 0.5 ? (last * 31 + 7) % vocab : Math.floor(vocab * random.uniform() ** 2);
    return last;
  });
}

/** A whole training step, forward, backward and update, as the stages take it: B 8 unless told. */
export async function trainingStep(
  config: ModelConfig,
  engine: Engine,
  { sequences = 8, recompute, precision, without = [] }: StepOptions = {},
): Promise<MeasuredStep> {
  const store = new Store();
  for (const [name, { shape, data }] of startingWeights(config)) store.set(name, shape, data);
  for (const [name, shape] of momentShapes(config)) store.set(name, shape, new Float32Array(sizeOf(shape)));
  const specs: TensorSpecs = sequenceBatch(config, sequences);
  for (const name of [...optimizerInputs, "lossScale"]) specs[name] = { shape: [], dtype: "float32" };
  const started = performance.now();
  const asked = { ...(recompute ? { recompute } : {}), ...(precision ? { precision } : {}) };
  const whole = trainStep(config, { ...training, ...asked, fewCalls: engine.fewCalls }, 3);
  const step: Program = (state, batch) => {
    const { state: changed, results } = whole(state, batch);
    const kept = Object.entries(results).filter(([name]) => !without.includes(name));
    return { state: changed, results: Object.fromEntries(kept) };
  };
  const program = await engine.compile(step, store, specs);
  const compileMs = performance.now() - started;
  const tokens = sequences * config.context;
  const ids = tokenIds(config, sequences);
  const row = config.context + 1;
  /** [B, T] of a batch's [B, T + 1], without the first or without the last of each row. */
  const part = (batch: number, from: 0 | 1) =>
    Int32Array.from(
      { length: tokens },
      (_, i) => ids[(batch * sequences + Math.floor(i / config.context)) * row + (i % config.context) + from]!,
    );
  const batches = Array.from({ length: BATCHES }, (_, i) => ({ tokens: part(i, 0), targets: part(i, 1) }));
  const noise = drawsExperts(config) ? gumbelNoise(config, tokens, 1, 1) : undefined;
  let steps = 0;
  let last = Number.NaN;
  return {
    get loss() {
      return last;
    },
    async run() {
      const weights = new Float32Array(tokens).fill(1);
      const batch: Record<string, Values> = { ...batches[steps % BATCHES], weights };
      const scalars = adamWInputs(++steps, training.learningRate, training);
      if (config.moe) batch.domain = Int32Array.from({ length: sequences }, (_, i) => i % 3);
      if (noise) Object.assign(batch, { noise, progress: Float32Array.of(0.5) });
      for (const name of optimizerInputs) batch[name] = Float32Array.of(scalars[name]);
      batch.lossScale = Float32Array.of(1024);
      last = (await program.run(batch)).loss![0]!;
      if (!Number.isFinite(last)) throw new Error(`the loss is ${last} at step ${steps}`);
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
