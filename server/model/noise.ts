import { type Draws, type ModelConfig, routerTraits } from "../protocol/model.ts";
import { randomStream } from "./random.ts";

/**
 * Seed of the routers' noise outside training, fixed so that a model's results are reproducible. As the step,
 * evaluation uses the index of the window within its domain, and generation the token's position.
 */
export const EVALUATION_NOISE_SEED = 0;

/** What a model's routers draw noise for, or undefined if they do not sample. */
const drawsFor = ({ moe }: ModelConfig): Draws | undefined => moe && routerTraits(moe.router).draws;

/** Whether a model's routers sample experts. */
export const drawsExperts = (config: ModelConfig): boolean => drawsFor(config) !== undefined;

/** Shape of the noise for N tokens: [Lmoe, N, E]. */
export const noiseShape = ({ moe }: ModelConfig, tokens: number): number[] => [
  moe?.layers.length ?? 0,
  tokens,
  moe?.experts.length ?? 0,
];

/**
 * Standard Gumbel noise -log(-log u), [Lmoe, N, E] row-major, for N = `tokens` tokens in `sequences` sequences of equal
 * length. Independent for each token, or shared by all tokens of a sequence or of the pass, as the model's routers
 * require. It depends only on its size, the random seed and the step, so resumed training draws the same noise.
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

/** Repeats each of `rows` rows `times` times: [rows, E] -> [rows * times, E]. */
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
 * Noise for `tokens` tokens of one text, starting at `position`, in generation. Noise that a whole sequence shares is
 * the same at every position.
 */
export function generationNoise(
  config: ModelConfig,
  tokens: number,
  randomSeed: number,
  position: number,
): Float32Array {
  return gumbelNoise(config, tokens, randomSeed, drawsFor(config) === "token" ? position : 0);
}

/** Joins the noise of several texts: [Lmoe, T, E] each -> [Lmoe, B*T, E]. */
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
