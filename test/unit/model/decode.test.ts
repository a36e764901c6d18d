import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { cacheShapes, decode, decodeBatch } from "../../../server/model/decode.ts";
import { drawsExperts, gumbelNoise, joinNoise, noiseShape } from "../../../server/model/noise.ts";
import { routingInputs } from "../../../server/model/routingInputs.ts";
import { logits } from "../../../server/model/transformer.ts";
import type { Tensors } from "../../../server/ops/program.ts";
import { expectClose, randomInputs, useCpu } from "../ops/support.ts";
import { models, randomParameters } from "./support.ts";

const length = 10;
const ints = (numbers: number[]) => tf.tensor1d(numbers, "int32");

describe("decode", () => {
  beforeAll(useCpu);

  for (const [name, config] of Object.entries(models)) {
    test(`gives the scores of the whole forward pass, prompts of different lengths and then token by token: ${name}`, () => {
      const params = randomParameters(config);
      const rows = randomInputs(51).below(config.vocab, [2, 8]).arraySync() as number[][];
      /** The noise of a token depends on its position. */
      const noiseOf = (positions: number[], time: number): Tensors => {
        if (!drawsExperts(config)) return {};
        const parts = positions.flatMap((first) =>
          Array.from({ length: time }, (_, t) => gumbelNoise(config, 1, 5, first + t)),
        );
        return { noise: tf.tensor(joinNoise(config, parts), noiseShape(config, positions.length * time)) };
      };
      const whole = (row: number, upTo: number) => {
        const tokens = tf.tensor2d([rows[row]!.slice(0, upTo)], [1, upTo], "int32");
        const routing = routingInputs(noiseOf([0], upTo), tf.ones([upTo, 1]), "generation");
        const { logits: all } = logits(params, tokens, config, routing);
        return tf.slice(all, [upTo - 1, 0], [1, config.vocab]);
      };
      const cache: Tensors = Object.fromEntries(
        [...cacheShapes(config, 2, length)].map(([key, shape]) => [key, tf.zeros(shape)]),
      );
      const feed = (tokens: number[][], positions: number[], lengths: number[]) => {
        const batch = {
          tokens: tf.tensor2d(tokens, undefined, "int32"),
          positions: ints(positions),
          lengths: ints(lengths),
          ...noiseOf(positions, tokens[0]!.length),
        };
        const { state, results } = decode(config)({ ...params, ...cache }, batch);
        Object.assign(cache, state);
        return results.logits!;
      };

      const ends = [3, 5];
      const padded = ends.map((end, row) => [...rows[row]!.slice(0, end), 9, 9, 9].slice(0, 5));
      const expectSame = (scores: tf.Tensor) =>
        ends.forEach((end, row) => {
          expectClose(tf.slice(scores, [row, 0], [1, config.vocab]), whole(row, end), 2e-5);
        });
      expectSame(feed(padded, [0, 0], ends));
      for (let step = 0; step < 3; step++) {
        const positions = [...ends];
        ends.forEach((end, row) => {
          ends[row] = end + 1;
        });
        expectSame(
          feed(
            positions.map((position, row) => [rows[row]![position]!]),
            positions,
            [1, 1],
          ),
        );
      }
    });
  }

  test("takes a prompt in several pieces and fills the cache to its last place", () => {
    const config = models["tied embeddings, a head of its own for each query"]!;
    const params = randomParameters(config);
    const row = randomInputs(52).below(config.vocab, [1, 8]);
    const state: Tensors = { ...params };
    for (const [key, shape] of cacheShapes(config, 1, 8)) state[key] = tf.zeros(shape);
    const piece = (from: number) => {
      const tokens = tf.slice(row, [0, from], [1, 4]);
      const { state: cache, results } = decode(config)(state, { tokens, positions: ints([from]), lengths: ints([4]) });
      Object.assign(state, cache);
      return results.logits!;
    };
    piece(0);
    expectClose(piece(4), tf.slice(logits(params, row, config).logits, [7, 0], [1, config.vocab]), 2e-5);
  });

  test("takes in padding that reaches beyond the last place", () => {
    const config = models["grouped queries, biases, untied"]!;
    const params = randomParameters(config);
    const row = randomInputs(53).below(config.vocab, [1, 8]);
    const state: Tensors = { ...params };
    for (const [key, shape] of cacheShapes(config, 1, 8)) state[key] = tf.zeros(shape);
    const piece = (from: number, tokens: tf.Tensor, length: number) => {
      const batch = { tokens, positions: ints([from]), lengths: ints([length]) };
      const { state: cache, results } = decode(config)(state, batch);
      Object.assign(state, cache);
      return results.logits!;
    };
    piece(0, tf.slice(row, [0, 0], [1, 5]), 5);
    const padded = tf.concat([tf.slice(row, [0, 5], [1, 2]), tf.zeros([1, 3], "int32")], 1);
    expectClose(piece(5, padded, 2), tf.slice(logits(params, row, config).logits, [6, 0], [1, config.vocab]), 2e-5);
    const last = tf.slice(row, [0, 7], [1, 1]);
    expectClose(piece(7, last, 1), tf.slice(logits(params, row, config).logits, [7, 0], [1, config.vocab]), 2e-5);
  });

  test("names what it reads and keeps", () => {
    const config = models["grouped queries, biases, untied"]!;
    expect([...cacheShapes(config, 3, 20)]).toEqual([
      ["cache.k.0", [3, 2, 21, 4]],
      ["cache.v.0", [3, 2, 21, 4]],
      ["cache.k.1", [3, 2, 21, 4]],
      ["cache.v.1", [3, 2, 21, 4]],
    ]);
    expect(decodeBatch(config, 3, 4).tokens).toEqual({ shape: [3, 4], dtype: "int32" });
    expect(decodeBatch(config, 3, 4)).not.toHaveProperty("noise");
    const { noise } = decodeBatch(models["sampled top-1 routing"]!, 3, 4);
    expect(noise).toEqual({ shape: [2, 12, 3], dtype: "float32" });
  });
});
