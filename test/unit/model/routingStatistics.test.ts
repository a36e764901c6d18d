import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, describe, expect, test } from "vitest";
import type { LayerRouting } from "../../../server/model/blocks/moe/forward.ts";
import { routingStatistics } from "../../../server/model/routingStatistics.ts";
import type { RouterConfig } from "../../../server/protocol/model.ts";
import { countedIn } from "../../../server/protocol/routingStatistics.ts";
import { router } from "../../../server/routers/index.ts";
import { normals, seeded } from "../../fixtures/random.ts";

/** Statistics of 3 layers with 4 experts, of 2 x 7 tokens of 3 domains, of which some are padding. */
const [L, E, B, T, D] = [3, 4, 4, 7, 3];
const N = B * T;
const domain = [0, 2, 1, 2];
const random = seeded(5);
const weights = Array.from({ length: N }, () => (random() < 0.2 ? 0 : 1));

const configs: [string, RouterConfig][] = [
  ["top-2", { type: "top-k", k: 2, loadBalance: 0 }],
  ["soft", { type: "soft", loadBalance: 0 }],
  ["switch", { type: "switch", capacity: 0.5, loadBalance: 0 }],
  ["sample-top-1", { type: "sample-top-1", temperatureRate: 1, minTemperature: 0.5, loadBalance: 0 }],
];

/** Of every layer: [N][E] tables of logits, of what was chosen, of gates and of what was dropped. */
interface Tables {
  logits: number[][];
  chosen: number[][];
  gates: number[][];
  dropped: number[][] | undefined;
}

const counted = () => ({
  domain: tf.tensor1d(domain, "int32"),
  weights: tf.tensor2d(weights, [N, 1]),
  domains: D,
});

beforeAll(() => tf.setBackend("cpu"));

const table = (x: tf.Tensor): number[][] => x.arraySync() as number[][];

function routed(config: RouterConfig): { routings: LayerRouting[]; tables: Tables[] } {
  const noise = seeded(11);
  const routings = Array.from({ length: L }, (_, position): LayerRouting => {
    const logits = tf.tensor2d([...normals(N * E, seeded(position + 1))], [N, E]);
    const drawn = Array.from({ length: N * E }, () => -Math.log(-Math.log(noise() * 0.998 + 0.001)));
    const routing = router(config).route({
      params: {},
      layer: position,
      tokenIds: tf.zeros([N], "int32"),
      stage: "learn",
      logits,
      weights: tf.tensor2d(weights, [N, 1]),
      position,
      mode: "training",
      progress: tf.scalar(0.5),
      noise: tf.tensor2d(drawn, [N, E]),
    });
    return { ...routing, logits };
  });
  const tables = routings.map(({ logits, chosen, gateOfExpert, dropped }) => ({
    logits: table(logits),
    chosen: table(chosen),
    gates: table(gateOfExpert),
    dropped: dropped && table(dropped),
  }));
  return { routings, tables };
}

const softmaxOf = (row: number[]) => {
  const all = row.map(Math.exp);
  const sum = all.reduce((a, b) => a + b);
  return all.map((one) => one / sum);
};

/** Adds over the tokens that count. */
function sumsOf(length: number, add: (sums: number[], token: number, domain: number) => void): number[] {
  const sums = new Array<number>(length).fill(0);
  for (let token = 0; token < N; token++) if (weights[token] === 1) add(sums, token, domain[Math.floor(token / T)]!);
  return sums;
}

describe.each(configs)("the statistics of a %s router", (_, config) => {
  test("are what counting its tokens one by one gives", () => {
    const { routings, tables } = routed(config);
    const results = routingStatistics(countedIn("training", "pairs", "detail"), routings, counted());
    const same = (name: string, expected: number[], shape: number[]) => {
      expect(results[name]!.shape).toEqual(shape);
      const values = results[name]!.dataSync();
      for (const [at, value] of expected.entries()) expect(values[at], `${name} ${at}`).toBeCloseTo(value, 4);
    };
    const cells = (value: (layer: Tables, token: number, expert: number) => number) =>
      tables.flatMap((layer) =>
        sumsOf(D * E, (sums, token, of) => {
          for (let expert = 0; expert < E; expert++) sums[of * E + expert]! += value(layer, token, expert);
        }),
      );
    same(
      "routedTokens",
      cells(({ chosen }, token, expert) => chosen[token]![expert]!),
      [L, D, E],
    );
    same(
      "gateMass",
      cells(({ gates }, token, expert) => gates[token]![expert]!),
      [L, D, E],
    );
    same(
      "probability",
      cells(({ logits }, token, expert) => softmaxOf(logits[token]!)[expert]!),
      [L, D, E],
    );
    if (tables[0]!.dropped)
      same(
        "droppedTokens",
        cells(({ dropped }, token, expert) => dropped![token]![expert]!),
        [L, D, E],
      );
    expect("droppedTokens" in results).toBe(config.type === "switch");

    const rows = (value: (layer: Tables, token: number) => number) =>
      tables.flatMap((layer) => sumsOf(D, (sums, token, of) => (sums[of]! += value(layer, token))));
    same(
      "tokens",
      rows(() => 1),
      [L, D],
    );
    const entropy = (row: number[]) => -softmaxOf(row).reduce((sum, p) => sum + p * Math.log(p), 0);
    same(
      "entropy",
      rows(({ logits }, token) => entropy(logits[token]!)),
      [L, D],
    );

    const pairs = (one: Tables, other: Tables) =>
      sumsOf(E * E, (sums, token) => {
        for (let a = 0; a < E; a++)
          for (let b = 0; b < E; b++) sums[a * E + b]! += one.chosen[token]![a]! * other.chosen[token]![b]!;
      });
    same(
      "coActivation",
      tables.flatMap((layer) => pairs(layer, layer)),
      [L, E, E],
    );
    same(
      "transitions",
      tables.slice(1).flatMap((next, layer) => pairs(tables[layer]!, next)),
      [L - 1, E, E],
    );

    const histogram = tables.flatMap(({ logits }) =>
      sumsOf(D * E * 10, (sums, token, of) => {
        for (const [expert, p] of softmaxOf(logits[token]!).entries())
          sums[(of * E + expert) * 10 + Math.min(9, Math.floor(p * 10))]! += 1;
      }),
    );
    same("histogram", histogram, [L, D, E, 10]);
  });
});

test("a model with one such layer has no transitions, and a dense one no statistics", () => {
  const { routings } = routed(configs[0]![1]);
  const names = countedIn("training", "pairs");
  expect(Object.keys(routingStatistics(names, routings.slice(0, 1), counted())).sort()).toEqual([
    "coActivation",
    "entropy",
    "gateMass",
    "probability",
    "routedTokens",
    "tokens",
  ]);
  expect(routingStatistics(names, [], counted())).toEqual({});
});
