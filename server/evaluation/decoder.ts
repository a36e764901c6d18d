import type { Engine } from "../engine/engine.ts";
import { Store } from "../engine/store.ts";
import { cacheShapes, type DecodeOptions, decode, decodeBatch } from "../model/decode.ts";
import { drawsExperts, EVALUATION_NOISE_SEED, generationNoise, joinNoise } from "../model/noise.ts";
import { sizeOf, type Values } from "../ops/program.ts";
import type { ModelConfig } from "../protocol/model.ts";

/** Results of a decoding step, see `decode`. They hold until the next step. */
export type Decoded = Record<string, Values> & { /** [B, V], of the token after each row. */ logits: Float32Array };

/** A model that reads `rows` texts token by token, with a cache of keys and values. */
export interface Decoder {
  /** Reads `rows` prompts (token ids, at least one) from the start. `mask`: see `maskSpec`. */
  readPrompts(prompts: number[][], mask?: Float32Array): Promise<Decoded>;
  /** Reads one token per row [B] at its position [B]. */
  next(tokens: Int32Array, positions: Int32Array, mask?: Float32Array): Promise<Decoded>;
  dispose(): Promise<void>;
}

/** Tokens of a prompt that are read at once. */
const chunk = 32;

/** Compiles a model, with caches for `config.context` tokens. The mask is read only if it is `inspected`. */
export async function openDecoder(
  config: ModelConfig,
  parameters: ReadonlyMap<string, { shape: number[]; data: Float32Array }>,
  { rows, engine, inspected = false }: { rows: number; engine: Engine } & DecodeOptions,
): Promise<Decoder> {
  const store = new Store();
  for (const [name, { shape, data }] of parameters) store.set(name, shape, data);
  const caches = cacheShapes(config, rows, config.context);
  for (const [name, shape] of caches) store.set(name, shape, new Float32Array(sizeOf(shape)));
  const width = Math.min(chunk, config.context);
  const compiled = (time: number, options = {}) =>
    engine.compile(decode(config, { inspected }), store, decodeBatch(config, rows, time, { inspected }), options);
  const prefill = await compiled(width);
  // Speed is limited by reading weights here, so constants help.
  const step = await compiled(1, { constant: true });
  const noise = noiseOfPositions(config);
  const masked = (mask?: Float32Array): Record<string, Values> => (inspected && config.moe && mask ? { mask } : {});

  return {
    async readPrompts(prompts, mask) {
      const longest = Math.max(...prompts.map((prompt) => prompt.length));
      let results: Record<string, Values> = {};
      for (let start = 0; start < longest; start += width) {
        const tokens = new Int32Array(rows * width);
        const [positions, lengths] = [new Int32Array(rows), new Int32Array(rows)];
        prompts.forEach((prompt, row) => {
          // A prompt that has ended reads its last token again: the same key and value at the same position.
          const from = Math.min(start, prompt.length - 1);
          const part = prompt.slice(from, from + width);
          tokens.set(part, row * width);
          positions[row] = from;
          lengths[row] = part.length;
        });
        results = await prefill.run({ tokens, positions, lengths, ...masked(mask), ...noise(positions, width) });
      }
      return results as Decoded;
    },
    async next(tokens, positions, mask) {
      const lengths = new Int32Array(rows).fill(1);
      return (await step.run({ tokens, positions, lengths, ...masked(mask), ...noise(positions, 1) })) as Decoded;
    },
    async dispose() {
      await prefill.dispose();
      await step.dispose();
    },
  };
}

/**
 * Noise for `time` tokens per row, starting at each row's position; {} unless routers sample. It depends only on a
 * token's position, so results do not depend on how many tokens or rows are read at once.
 */
export function noiseOfPositions(
  config: ModelConfig,
): (positions: Int32Array, time: number) => { noise?: Float32Array } {
  if (!drawsExperts(config)) return () => ({});
  const drawn = new Map<number, Float32Array>();
  const at = (position: number): Float32Array => {
    const known = drawn.get(position) ?? generationNoise(config, 1, EVALUATION_NOISE_SEED, position);
    drawn.set(position, known);
    return known;
  };
  return (positions, time) => {
    const tokens = [...positions].flatMap((first) => Array.from({ length: time }, (_, t) => at(first + t)));
    return { noise: joinNoise(config, tokens) };
  };
}
