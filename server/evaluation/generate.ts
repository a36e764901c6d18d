import type { Engine } from "../engine/engine.ts";
import { randomStream } from "../model/random.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { openDecoder } from "./decoder.ts";

export interface GenerateOptions {
  /** Maximum number of new tokens per prompt; generation also ends where the context does. */
  tokens: number;
  /** 0 always takes the most likely token. */
  temperature: number;
  /** Samples from the most likely tokens that together have this probability; 1: from all. */
  topP: number;
  randomSeed: number;
  /** Whether a row ends after this token, the last of its new ones. */
  stop: (token: number, row: number, tokens: readonly number[]) => boolean;
  /** Called with each new token. */
  onToken?: (row: number, token: number) => void;
}

export interface Generator {
  /** Continues each prompt (token ids, at least one) and returns the new tokens, including the one that ended it. */
  generate(prompts: number[][], options: GenerateOptions): Promise<number[][]>;
  dispose(): Promise<void>;
}

/**
 * Compiles a model that continues `rows` prompts at a time, with a cache of keys and values for `config.context`
 * tokens.
 */
export async function generator(
  config: ModelConfig,
  parameters: Map<string, { shape: number[]; data: Float32Array }>,
  { rows, engine }: { rows: number; engine: Engine },
): Promise<Generator> {
  const decoder = await openDecoder(config, parameters, { rows, engine });

  return {
    async generate(prompts, options) {
      if (prompts.length > rows) throw new Error(`${prompts.length} prompts for ${rows} rows`);
      const filled = [...prompts, ...Array(rows - prompts.length).fill([0])] as number[][];
      const texts = prompts.map((prompt, row) => ({
        row,
        prompt,
        /** New tokens. */
        output: [] as number[],
        random: randomStream(options.randomSeed, `row ${row}`),
      }));
      const open = new Set(texts);
      let { logits } = await decoder.readPrompts(filled);
      while (open.size > 0) {
        const [tokens, positions] = [new Int32Array(rows), new Int32Array(rows)];
        for (const text of [...open]) {
          const { row, prompt, output, random } = text;
          const scores = logits.subarray(row * config.vocab, (row + 1) * config.vocab);
          const token = pick(scores, options, () => random.uniform());
          output.push(token);
          options.onToken?.(row, token);
          const position = prompt.length + output.length - 1;
          tokens[row] = token;
          positions[row] = position;
          if (options.stop(token, row, output) || output.length >= options.tokens || position + 1 >= config.context)
            open.delete(text);
        }
        if (open.size > 0) logits = (await decoder.next(tokens, positions)).logits;
      }
      return texts.map(({ output }) => output);
    },
    dispose: () => decoder.dispose(),
  };
}

/** Chooses the next token: the most likely one, or a sample from softmax(scores / temperature). */
export function pick(
  scores: Float32Array,
  { temperature, topP }: Pick<GenerateOptions, "temperature" | "topP">,
  uniform: () => number,
): number {
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
