import { sizeOf } from "../engine/program.ts";
import { compile } from "../engine/runtime/compile.ts";
import { Store } from "../engine/runtime/store.ts";
import { cacheShapes, decode, decodeBatch } from "../model/decode.ts";
import { drawsExperts, EVALUATION_NOISE_SEED, gumbelNoise, joinNoise } from "../model/noise.ts";
import { randomStream } from "../model/random.ts";
import type { ModelConfig } from "../protocol/model.ts";

export interface GenerateOptions {
  /** New tokens a prompt, at most; generation also ends where the context does. */
  tokens: number;
  /** 0 takes the likeliest token each time. */
  temperature: number;
  /** Samples among the likeliest tokens that together have this probability; 1 among all. */
  topP: number;
  randomSeed: number;
  /** Ends a row after this token, the last of its new ones so far. */
  stop: (token: number, row: number, tokens: readonly number[]) => boolean;
  /** Called with each new token as it comes. */
  onToken?: (row: number, token: number) => void;
}

export interface Generator {
  /** Continues each prompt (token ids, at least one) and returns the new tokens, the stopping one included. */
  generate(prompts: number[][], options: GenerateOptions): Promise<number[][]>;
  dispose(): Promise<void>;
}

/** Tokens of a prompt taken in at once. */
const chunk = 32;

/** Makes a model ready to continue `rows` prompts at a time, with a cache of keys and values for `config.context` tokens. */
export async function generator(
  config: ModelConfig,
  parameters: Map<string, { shape: number[]; data: Float32Array }>,
  { rows, threads }: { rows: number; threads: number },
): Promise<Generator> {
  const store = new Store();
  for (const [name, { shape, data }] of parameters) store.set(name, shape, data);
  const caches = cacheShapes(config, rows, config.context);
  for (const [name, shape] of caches) store.set(name, shape, new Float32Array(sizeOf(shape)));
  const width = Math.min(chunk, config.context);
  const prefill = await compile(decode(config), store, decodeBatch(config, rows, width), { threads });
  const step = await compile(decode(config), store, decodeBatch(config, rows, 1), { threads });

  const noise = noiseOfPositions(config);

  /** Takes the prompts in and returns the scores [B, V] after each one's last token. */
  async function takeIn(prompts: number[][]): Promise<Float32Array> {
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    let logits = new Float32Array();
    for (let start = 0; start < longest; start += width) {
      const tokens = new Int32Array(rows * width);
      const [positions, lengths] = [new Int32Array(rows), new Int32Array(rows)];
      prompts.forEach((prompt, row) => {
        // A prompt that has ended takes its last token in again: the same key and value at the same place.
        const from = Math.min(start, prompt.length - 1);
        const part = prompt.slice(from, from + width);
        tokens.set(part, row * width);
        positions[row] = from;
        lengths[row] = part.length;
      });
      logits = (await prefill.run({ tokens, positions, lengths, ...noise(positions, width) }))
        .logits as Float32Array<ArrayBuffer>;
    }
    return logits;
  }

  return {
    async generate(prompts, options) {
      if (prompts.length > rows) throw new Error(`${prompts.length} prompts for ${rows} rows`);
      const random = prompts.map((_, row) => randomStream(options.randomSeed, `row ${row}`));
      const filled = [...prompts, ...Array(rows - prompts.length).fill([0])] as number[][];
      const output: number[][] = prompts.map(() => []);
      const open = new Set(prompts.keys());
      let logits = await takeIn(filled);
      while (open.size > 0) {
        const [tokens, positions] = [new Int32Array(rows), new Int32Array(rows)];
        for (const row of [...open]) {
          const scores = logits.subarray(row * config.vocab, (row + 1) * config.vocab);
          const token = pick(scores, options, () => random[row]!.uniform());
          output[row]!.push(token);
          options.onToken?.(row, token);
          const position = prompts[row]!.length + output[row]!.length - 1;
          tokens[row] = token;
          positions[row] = position;
          if (
            options.stop(token, row, output[row]!) ||
            output[row]!.length >= options.tokens ||
            position + 1 >= config.context
          )
            open.delete(row);
        }
        if (open.size > 0) {
          const lengths = new Int32Array(rows).fill(1);
          const results = await step.run({ tokens, positions, lengths, ...noise(positions, 1) });
          logits = results.logits as Float32Array<ArrayBuffer>;
        }
      }
      return output;
    },
    async dispose() {
      await prefill.dispose();
      await step.dispose();
    },
  };
}

/**
 * The noise by which routers draw for `time` tokens a row from its position on; nothing where they do not draw. It depends
 * on a token's position alone, so that what is taken in at once, or beside what, changes nothing.
 */
function noiseOfPositions(config: ModelConfig): (positions: Int32Array, time: number) => { noise?: Float32Array } {
  if (!drawsExperts(config)) return () => ({});
  const drawn = new Map<number, Float32Array>();
  const at = (position: number): Float32Array => {
    const known = drawn.get(position) ?? gumbelNoise(config, 1, EVALUATION_NOISE_SEED, position);
    drawn.set(position, known);
    return known;
  };
  return (positions, time) => {
    const tokens = [...positions].flatMap((first) => Array.from({ length: time }, (_, t) => at(first + t)));
    return { noise: joinNoise(config, tokens) };
  };
}

/** The next token: the likeliest, or one drawn from the softmax of scores / temperature. */
function pick(scores: Float32Array, { temperature, topP }: GenerateOptions, uniform: () => number): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[best]!) best = i;
  if (temperature === 0) return best;
  const weights = Float64Array.from(scores, (score) => Math.exp((score - scores[best]!) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const order = topP < 1 ? [...weights.keys()].sort((a, b) => weights[b]! - weights[a]!) : [...weights.keys()];
  let kept = 0;
  let count = 0;
  while (count < order.length && (count === 0 || kept < topP * total)) kept += weights[order[count++]!]!;
  let rest = uniform() * kept;
  for (const token of order.slice(0, count)) {
    rest -= weights[token]!;
    if (rest < 0) return token;
  }
  return order[count - 1]!;
}
