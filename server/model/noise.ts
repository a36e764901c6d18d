import { type Draws, type ModelConfig, routerTraits } from "../protocol/model.ts";
import { randomStream } from "./random.ts";

/**
 * Seed of the noise by which routers draw outside training, so that a model's results stay the same. The step is, in
 * evaluation, the number of the window among its domain's; in generation, the token's position.
 */
export const EVALUATION_NOISE_SEED = 0;

/** For what a model's routers draw; undefined where they do not. */
const drawsFor = ({ moe }: ModelConfig): Draws | undefined => moe && routerTraits(moe.router).draws;

/** Whether a model's routers draw. */
export const drawsExperts = (config: ModelConfig): boolean => drawsFor(config) !== undefined;

/** Shape of the noise of N tokens: [Lmoe, N, E]. */
export const noiseShape = ({ moe }: ModelConfig, tokens: number): number[] => [
  moe?.layers.length ?? 0,
  tokens,
  moe?.experts.length ?? 0,
];

/**
 * Standard Gumbel numbers -log(-log u) for `sequences` sequences of T tokens each, `tokens` in all, [Lmoe, N, E] row-major:
 * of its own for each token, or the same for all tokens of a sequence or of the pass, as the model's routers draw. They
 * depend on their number, the seed of random numbers and the step only: training that is resumed draws what it would have drawn.
 */
export function gumbelNoise(
  config: ModelConfig,
  tokens: number,
  randomSeed: number,
  step: number,
  sequences = 1,
): Float32Array {
  const random = randomStream(randomSeed, `router noise ${step}`);
  const [layers, , experts] = noiseShape(config, tokens) as [number, number, number];
  const draws = { token: tokens, sequence: sequences, pass: 1 }[drawsFor(config) ?? "token"];
  const drawn = Float32Array.from({ length: layers * draws * experts }, () => -Math.log(-Math.log(random.uniform())));
  return draws === tokens ? drawn : repeated(drawn, layers * draws, tokens / draws);
}

/** Each of `rows` rows `times` times: [rows, E] gives [rows * times, E]. */
function repeated(x: Float32Array, rows: number, times: number): Float32Array {
  const width = x.length / rows;
  const out = new Float32Array(x.length * times);
  for (let row = 0; row < rows * times; row++) {
    const from = Math.floor(row / times) * width;
    out.set(x.subarray(from, from + width), row * width);
  }
  return out;
}

/**
 * The noise of `tokens` tokens of one text from position `position` on, in generation. A draw for the whole sequence is the
 * same at every position.
 */
export function generationNoise(
  config: ModelConfig,
  tokens: number,
  randomSeed: number,
  position: number,
): Float32Array {
  return gumbelNoise(config, tokens, randomSeed, drawsFor(config) === "token" ? position : 0);
}

/** The noise of texts one after another: each [Lmoe, T, E], all of them together [Lmoe, B*T, E]. */
export function joinNoise(config: ModelConfig, parts: Float32Array[]): Float32Array {
  const layers = config.moe?.layers.length ?? 0;
  const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (let layer = 0; layer < layers; layer++) {
    for (const part of parts) {
      const length = part.length / layers;
      joined.set(part.subarray(layer * length, (layer + 1) * length), at);
      at += length;
    }
  }
  return joined;
}
