import type { ModelConfig } from "../protocol/model.ts";
import { router } from "../routers/index.ts";
import { randomStream } from "./random.ts";

/**
 * Seed of the noise by which routers draw outside training, so that a model's results stay the same. The step is, in
 * evaluation, the number of the window among its domain's; in generation, the token's position.
 */
export const EVALUATION_NOISE_SEED = 0;

/** Whether a model's routers draw. */
export const drawsExperts = ({ moe }: ModelConfig): boolean => (moe && router(moe.router).draws) ?? false;

/** Shape of the noise of N tokens: [Lmoe, N, E]. */
export const noiseShape = ({ moe }: ModelConfig, tokens: number): number[] => [
  moe?.layers.length ?? 0,
  tokens,
  moe?.experts.length ?? 0,
];

/**
 * Standard Gumbel numbers -log(-log u) for `tokens` tokens, [Lmoe, N, E] row-major. They depend on their number, the seed
 * of random numbers and the step only: training that is resumed draws what it would have drawn.
 */
export function gumbelNoise(config: ModelConfig, tokens: number, randomSeed: number, step: number): Float32Array {
  const random = randomStream(randomSeed, `router noise ${step}`);
  const size = noiseShape(config, tokens).reduce((product, length) => product * length, 1);
  return Float32Array.from({ length: size }, () => -Math.log(-Math.log(random.uniform())));
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
