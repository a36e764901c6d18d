import { ones } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../../server/engine/onnx/compile.ts";
import { cpuEngine } from "../../../server/engine/onnx/engine.ts";
import { Store } from "../../../server/engine/store.ts";
import { type GenerateOptions, type Generator, generator } from "../../../server/evaluation/generate.ts";
import {
  drawsExperts,
  EVALUATION_NOISE_SEED,
  gumbelNoise,
  joinNoise,
  noiseShape,
} from "../../../server/model/noise.ts";
import { routingInputs } from "../../../server/model/routingInputs.ts";
import { logits } from "../../../server/model/transformer.ts";
import { named, type Program, type TensorSpecs, type Values } from "../../../server/ops/program.ts";
import type { ModelConfig, RouterConfig } from "../../../server/protocol/model.ts";
import { softmax } from "../model/reference.ts";
import { randomModel, tiny } from "../stages/support.ts";

/** Longer than the 32 tokens that a prompt is taken in by at once. */
const config: ModelConfig = {
  ...tiny,
  vocab: 11,
  context: 40,
  moe: { experts: ["a", "b", "c"], layers: [1], router: { type: "top-k", k: 2, loadBalance: 0 } },
};
const parameters = randomModel(config, 1);
const greedy: GenerateOptions = { tokens: 12, temperature: 0, topP: 1, randomSeed: 0, stop: () => false };

const prompt = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => (i * seed + (i % 7) * (seed + 3) + seed) % config.vocab);

/** Scores [V] of the token after a text, by one forward pass over all of it. */
let scoresAfter: (text: number[]) => Promise<number[]>;
let three: Generator;
let dispose: () => Promise<void>;

beforeAll(async () => {
  const store = new Store();
  for (const [name, { shape, data }] of parameters) store.set(name, shape, data);
  const forward: Program = (state, batch) => ({
    state: {},
    results: { logits: logits(state, named(batch, "tokens"), config).logits },
  });
  const program = await compile(
    forward,
    store,
    { tokens: { shape: [1, config.context], dtype: "int32" } },
    { threads: 1 },
  );
  scoresAfter = async (text) => {
    // Attention is causal: what follows the text does not matter.
    const tokens = new Int32Array(config.context);
    tokens.set(text);
    const results = await program.run({ tokens });
    return [...results.logits!.slice((text.length - 1) * config.vocab, text.length * config.vocab)];
  };
  three = await generator(config, parameters, { rows: 3, engine: cpuEngine(1) });
  dispose = async () => {
    await program.dispose();
    await three.dispose();
  };
});
afterAll(() => dispose());

const argmax = (scores: number[]): number => scores.indexOf(Math.max(...scores));

async function repeatedForward(text: number[], tokens: number): Promise<number[]> {
  const all = [...text];
  while (all.length < text.length + tokens) all.push(argmax(await scoresAfter(all)));
  return all.slice(text.length);
}

describe("greedy generation", () => {
  test.each([
    1, 5, 31, 32, 33,
  ])("gives the likeliest token of a whole forward pass again and again, after %i tokens", async (length) => {
    const tokens = Math.min(12, config.context - length);
    const [output] = await three.generate([prompt(length, 4)], { ...greedy, tokens });
    expect(output).toEqual(await repeatedForward(prompt(length, 4), tokens));
  });

  test("of prompts of different lengths in one batch is that of each alone", async () => {
    const prompts = [prompt(3, 2), prompt(34, 5), prompt(17, 9)];
    const together = await three.generate(prompts, { ...greedy, tokens: 6 });
    for (const [row, text] of prompts.entries()) {
      expect(together[row]).toEqual(await repeatedForward(text, 6));
      expect([together[row]]).toEqual(await three.generate([text], { ...greedy, tokens: 6 }));
    }
    expect(new Set(together.map(String)).size).toBe(3);
  });

  test("leaves nothing behind for the prompts after it", async () => {
    const text = prompt(9, 3);
    const before = await three.generate([text], greedy);
    await three.generate([prompt(33, 8), prompt(30, 7)], { ...greedy, tokens: 5 });
    expect(await three.generate([text], greedy)).toEqual(before);
  });

  test("ends where the context does", async () => {
    const [long, short] = await three.generate([prompt(36, 2), prompt(30, 2)], { ...greedy, tokens: 100 });
    expect(long).toEqual(await repeatedForward(prompt(36, 2), 4));
    expect(short).toHaveLength(10);
    const [last] = await three.generate([prompt(39, 2)], { ...greedy, tokens: 100 });
    expect(last).toEqual([argmax(await scoresAfter(prompt(39, 2)))]);
  });

  test("ends a row with the token that stops it, and goes on with the others", async () => {
    const prompts = [prompt(4, 2), prompt(6, 5)];
    const whole = await three.generate(prompts, greedy);
    const stop = whole[0]![2]!;
    const seen: number[][] = [[], []];
    const rows = await three.generate(prompts, {
      ...greedy,
      stop: (token) => token === stop,
      onToken: (row, token) => seen[row]!.push(token),
    });
    const upTo = (tokens: number[]) => tokens.slice(0, tokens.includes(stop) ? tokens.indexOf(stop) + 1 : undefined);
    expect(rows).toEqual(whole.map(upTo));
    expect(seen).toEqual(rows);
    expect(rows[0]!.length).toBeLessThan(whole[0]!.length);
  });

  test("refuses more prompts than it was made for", async () => {
    await expect(three.generate(Array(4).fill([1]), greedy)).rejects.toThrow("4 prompts for 3 rows");
  });
});

describe.each<RouterConfig>([
  { type: "top-k", k: 2, softmax: "before", loadBalance: 0, balance: "bias", biasRate: 0.1 },
  { type: "switch", capacity: 0.1, evaluationCapacity: 0.1, loadBalance: 0 },
  { type: "soft", loadBalance: 0 },
  { type: "sample-top-1", temperatureRate: 1, minTemperature: 0.5, loadBalance: 0 },
])("with a $type router", (router) => {
  const model: ModelConfig = { ...config, moe: { experts: ["a", "b", "c"], layers: [0, 1], router } };
  const weights = randomModel(model, 3);
  const time = model.context;

  /** As `repeatedForward`, by one forward pass over the whole context; token t's noise is drawn for position t. */
  async function slowly(text: number[], count: number): Promise<number[]> {
    const store = new Store();
    for (const [name, { shape, data }] of weights) store.set(name, shape, data);
    const batch: TensorSpecs = { tokens: { shape: [1, time], dtype: "int32" } };
    if (drawsExperts(model)) batch.noise = { shape: noiseShape(model, time), dtype: "float32" };
    const program = await compile(
      (state, inputs) => {
        const routing = routingInputs(inputs, ones([time, 1]), "generation");
        return { state: {}, results: { logits: logits(state, named(inputs, "tokens"), model, routing).logits } };
      },
      store,
      batch,
      { threads: 1 },
    );
    const drawn = Array.from({ length: time }, (_, position) => gumbelNoise(model, 1, EVALUATION_NOISE_SEED, position));
    const noise: Record<string, Values> = batch.noise ? { noise: joinNoise(model, drawn) } : {};
    const all = [...text];
    while (all.length < text.length + count) {
      const tokens = Int32Array.from({ length: time }, (_, t) => all[t] ?? 0);
      const scores = (await program.run({ tokens, ...noise })).logits!;
      all.push(argmax([...scores.slice((all.length - 1) * model.vocab, all.length * model.vocab)]));
    }
    await program.dispose();
    return all.slice(text.length);
  }

  test("generation with a cache is that of whole forward passes, whatever is in the batch", async () => {
    const two = await generator(model, weights, { rows: 2, engine: cpuEngine(1) });
    const prompts = [prompt(3, 2), prompt(33, 5)];
    const together = await two.generate(prompts, { ...greedy, tokens: 6 });
    for (const [row, text] of prompts.entries()) {
      expect(together[row]).toEqual(await slowly(text, 6));
      expect(await two.generate([text], { ...greedy, tokens: 6 })).toEqual([together[row]]);
    }
    await two.dispose();
  });
});

describe("sampling", () => {
  const text = prompt(5, 4);
  const sampled = { ...greedy, temperature: 1.3, randomSeed: 5 };

  test("is the same from the same seed of random numbers, and another from another", async () => {
    const first = await three.generate([text, text], sampled);
    expect(await three.generate([text, text], sampled)).toEqual(first);
    expect(first[0]).not.toEqual(first[1]);
    expect(await three.generate([text, text], { ...sampled, randomSeed: 6 })).not.toEqual(first);
  });

  /** How often each token came first in 600 samples. */
  async function firstTokens(options: Partial<GenerateOptions>): Promise<number[]> {
    const counts = Array<number>(config.vocab).fill(0);
    for (let randomSeed = 0; randomSeed < 200; randomSeed++) {
      const rows = await three.generate([text, text, text], { ...sampled, tokens: 1, randomSeed, ...options });
      for (const [token] of rows) counts[token!]!++;
    }
    return counts;
  }
  const chiSquare = (counts: number[], shares: number[]): number =>
    counts.reduce((sum, count, token) => {
      const expected = 600 * shares[token]!;
      return expected === 0 ? sum + (count === 0 ? 0 : Infinity) : sum + (count - expected) ** 2 / expected;
    }, 0);
  /** Exceeded by chance once in 10,000 times with 10 degrees of freedom. */
  const unlikely = 35.6;

  test("follows the softmax of the scores over the temperature", async () => {
    const scores = await scoresAfter(text);
    const shares = (temperature: number) => softmax(scores.map((score) => score / temperature));
    const counts = await firstTokens({ temperature: 1.3 });
    expect(chiSquare(counts, shares(1.3))).toBeLessThan(unlikely);
    // The check tells temperatures apart.
    expect(chiSquare(counts, shares(0.5))).toBeGreaterThan(unlikely);
  });

  test("among the likeliest tokens takes no other, and these as often as before", async () => {
    const shares = softmax((await scoresAfter(text)).map((score) => score / 1.3));
    const order = shares.map((_, token) => token).sort((a, b) => shares[b]! - shares[a]!);
    const kept = order.slice(0, 3);
    const total = kept.reduce((sum, token) => sum + shares[token]!, 0);
    const topP = total - shares[kept[2]!]! / 2;
    const counts = await firstTokens({ topP });
    const renormalised = shares.map((share, token) => (kept.includes(token) ? share / total : 0));
    expect(chiSquare(counts, renormalised)).toBeLessThan(unlikely);
    expect(await firstTokens({ topP: 0 })).toEqual(shares.map((_, token) => (token === order[0] ? 600 : 0)));
  });
});
