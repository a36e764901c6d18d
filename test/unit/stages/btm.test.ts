import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { openData } from "../../../server/data/dataset.ts";
import type { BtmSpec } from "../../../server/protocol/stage.ts";
import { bayes, btm, ensembleNll, largest, nearest, type Weighting } from "../../../server/stages/btm.ts";
import { nllPath, writeWindows } from "../../../server/stages/heldOutNll.ts";
import { seeded } from "../../fixtures/random.ts";
import { contextOf, documentsOf, stageWithData, temporaryFolder } from "./support.ts";
import { referenceCosines } from "./tfIdfReference.ts";

const endOfText = 256;

/** Negative log-likelihoods of `count` tokens, a model a row. */
function randomNll(models: number, count: number, seed: number): Float32Array[] {
  const random = seeded(seed);
  return Array.from({ length: models }, () => Float32Array.from({ length: count }, () => 0.1 + 3 * random()));
}

/** -log of the mean of the models' probabilities at t under given weights. */
const mixed = (nll: Float32Array[], t: number, weights: number[]): number =>
  -Math.log(nll.reduce((sum, values, j) => sum + weights[j]! * Math.exp(-values[t]!), 0));

/** Keeps the k largest, the earlier of equal ones, scaled to sum 1. */
function keep(scores: number[], k: number): number[] {
  const kept = scores.map(
    (score, j) => scores.filter((other, i) => other > score || (other === score && i < j)).length < k,
  );
  const total = scores.reduce((sum, score, j) => sum + (kept[j] ? score : 0), 0);
  return scores.map((score, j) => (kept[j] ? score / total : 0));
}

/** The posterior by its definition: the product of the probabilities of all tokens before. */
const posterior = (nll: Float32Array[], t: number): number[] =>
  nll.map((values) => values.slice(0, t).reduce((product, value) => product * Math.exp(-value), 1));

const sum = (numbers: number[]): number => numbers.reduce((total, x) => total + x, 0);

describe("ensembleNll", () => {
  test.each([1, 2, 3])("with Bayes weights is the direct product of probabilities, %i experts a token", (k) => {
    const nll = randomNll(3, 20, 4);
    const direct = Array.from({ length: 20 }, (_, t) => mixed(nll, t, keep(posterior(nll, t), k)));
    const weighting = bayes({ experts: ["a", "b", "c"], k })();
    expect(ensembleNll(new Int32Array(21), nll, weighting)).toBeCloseTo(sum(direct), 9);
  });

  test("neither underflows nor overflows over thousands of unlikely tokens", () => {
    const nll = [0, 1].map((j) => new Float32Array(5000).fill(800 + j));
    const value = ensembleNll(new Int32Array(5001), nll, bayes({ experts: ["a", "b"], k: 2 })());
    // Equal weights for the first token, then the better expert alone but for e^-t.
    const first = 800 - Math.log((1 + Math.exp(-1)) / 2);
    expect(value).toBeGreaterThan(first + 4999 * 800);
    expect(value).toBeLessThan(first + 4999 * 800 + 1);
  });

  test("of one expert, or of equal ones, is the expert's own", () => {
    const [own] = randomNll(1, 30, 5);
    for (const nll of [[own!], [own!, own!, own!]]) {
      const weighting = bayes({ experts: nll.map(String), k: nll.length })();
      expect(ensembleNll(new Int32Array(31), nll, weighting)).toBeCloseTo(sum([...own!]), 9);
    }
  });

  test("tells the weighting each token after it was predicted", () => {
    const seen: [number, number[] | undefined][] = [];
    const weighting: Weighting = {
      weights: () => Float64Array.of(1, 0),
      see: (token, logs) => seen.push([token, logs && [...logs]]),
    };
    const nll = [Float32Array.of(1, 2), Float32Array.of(3, 4)];
    expect(ensembleNll(Int32Array.of(7, 8, 9), nll, weighting)).toBeCloseTo(3, 12);
    expect(seen).toEqual([
      [7, undefined],
      [8, [-1, -3]],
      [9, [-2, -4]],
    ]);
  });
});

test("largest keeps the k largest, the earlier of equal ones, scaled to sum 1", () => {
  expect([...largest(Float64Array.of(1, 3, 1, 2), 2)]).toEqual([0, 0.6, 0, 0.4]);
  expect([...largest(Float64Array.of(1, 1, 1), 2)]).toEqual([0.5, 0.5, 0]);
  expect([...largest(Float64Array.of(1, 3), 5)]).toEqual([0.25, 0.75]);
});

test("nearest takes the k largest in equal parts, the earlier of equal ones, also where all are 0", () => {
  expect([...nearest(Float64Array.of(1, 3, 0, 2), 2)]).toEqual([0, 0.5, 0, 0.5]);
  expect([...nearest(Float64Array.of(0, 3, 0), 2)]).toEqual([0.5, 0.5, 0]);
  expect([...nearest(Float64Array.of(0, 0, 0), 1)]).toEqual([1, 0, 0]);
  expect([...nearest(Float64Array.of(1, 3), 5)]).toEqual([0.5, 0.5]);
});

const domains = ["letters", "digits"];
const spec = (more: Partial<BtmSpec>): BtmSpec => ({
  kind: "btm",
  experts: ["letters", "digits", "seed"],
  domains,
  weights: "bayes",
  k: 1,
  ...more,
});
const context = 8;

const twoDomains = (more: Record<string, { documents: string[] }> = {}) =>
  stageWithData({
    letters: { documents: documentsOf("abcde f", 12, 41) },
    digits: { documents: documentsOf("0123 f", 10, 33) },
    ...more,
  });

async function heldOut(folder: string, domain: string): Promise<Int32Array> {
  const data = await openData(folder);
  const file = data.split(domain, "heldout");
  const ids = file.read(0, file.length);
  data.close();
  return ids;
}

/** Evaluations of three experts, with random likelihoods; an expert is good at its own domain. */
async function evaluations(data: string, names: string[], of = domains) {
  const nll: Record<string, Float32Array[]> = {};
  for (const [d, domain] of of.entries()) {
    const ids = await heldOut(data, domain);
    nll[domain] = randomNll(names.length, ids.length - 1, d + 1);
    names.forEach((name, j) => {
      if (name === domain) nll[domain]![j] = nll[domain]![j]!.map((value) => value / 3);
    });
  }
  const parents: Record<string, string> = { data };
  for (const [j, name] of names.entries()) {
    const folder = temporaryFolder();
    await writeWindows(folder, { context, batch: 3, maxTokens: 100_000 });
    for (const domain of of) {
      const path = nllPath(folder, domain);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, nll[domain]![j]!);
    }
    parents[`expert:${name}`] = folder;
  }
  return { nll, parents };
}

/** Mean over a domain's tokens of the mixed nll, window by window. */
function expected(
  ids: Int32Array,
  nll: Float32Array[],
  weightsAt: (window: Int32Array, own: Float32Array[], t: number) => number[],
) {
  const values: number[] = [];
  for (let start = 0; start < ids.length - 1; start += context) {
    const window = ids.slice(start, start + context + 1);
    const own = nll.map((all) => all.slice(start, start + context));
    for (let t = 0; t < window.length - 1; t++) values.push(mixed(own, t, weightsAt(window, own, t)));
  }
  return sum(values) / values.length;
}

describe("btm", () => {
  test.each([1, 2])("with Bayes weights starts each window anew and follows the posterior, k = %i", async (k) => {
    const data = await twoDomains();
    const wanted = spec({ k });
    const { nll, parents } = await evaluations(data, wanted.experts);
    const { losses, tokens } = await btm(contextOf(wanted, { parents }));
    let total = 0;
    for (const domain of domains) {
      const ids = await heldOut(data, domain);
      const nats = expected(ids, nll[domain]!, (_, own, t) => keep(posterior(own, t), k));
      const bytes = ids.slice(1).filter((id) => id !== endOfText).length;
      expect(losses![domain]).toEqual({
        nats: expect.closeTo(nats, 9),
        bitsPerByte: expect.closeTo((nats * (ids.length - 1)) / Math.log(2) / bytes, 9),
        tokens: ids.length - 1,
        bytes,
      });
      total += ids.length - 1;
    }
    expect(tokens).toBe(total);
  });

  test.each([
    1, 2,
  ])("with tf-idf averages the k experts nearest to the text so far in equal parts, k = %i", async (k) => {
    const data = await twoDomains();
    const wanted = spec({ weights: "tf-idf", k });
    const { nll, parents } = await evaluations(data, wanted.experts);
    const { losses } = await btm(contextOf(wanted, { parents }));
    const cosines = await referenceCosines(data, [["letters"], ["digits"], ["letters", "digits"]]);
    for (const domain of domains) {
      const ids = await heldOut(data, domain);
      const nats = expected(ids, nll[domain]!, (window, _, t) => {
        const near = keep(cosines([...window.slice(0, t + 1)]), k);
        return near.map((share) => (share > 0 ? 1 / k : 0));
      });
      expect(losses![domain]!.nats).toBeCloseTo(nats, 9);
    }
  });

  test.each([1, 2, 3])("with tf-idf averages k experts before a window has any term they know, k = %i", async (k) => {
    // Windows of "rare" begin with, or are made of, characters that no text to train on has.
    const rare = { documents: ["\u0001\u0002\u0003\u0004", "\u0005\u0006\u0007\u0008"] };
    const data = await twoDomains({ rare });
    const wanted = spec({ weights: "tf-idf", k, domains: ["rare"] });
    const { nll, parents } = await evaluations(data, wanted.experts, ["rare"]);
    const { losses } = await btm(contextOf(wanted, { parents }));
    const ids = await heldOut(data, "rare");
    expect(ids).toHaveLength(5);
    // Nobody is nearer than another: the first k experts, in equal parts.
    const nats = expected(ids, nll.rare!, (_, own) => own.map((__, j) => (j < k ? 1 / k : 0)));
    expect(losses!.rare!.nats).toBeCloseTo(nats, 9);
  });

  test("refuses evaluations of other text than the data", async () => {
    const data = await twoDomains();
    const { parents } = await evaluations(data, spec({}).experts);
    writeFileSync(nllPath(parents["expert:digits"]!, "letters"), new Float32Array(7));
    await expect(btm(contextOf(spec({}), { parents }))).rejects.toMatchObject({
      name: "UserError",
      message: expect.stringContaining('"letters"') as string,
    });
  });
});

test("the posterior finds the expert of a text that is clearly its own", () => {
  const random = seeded(3);
  // Each of three experts gives its own domain's tokens 1.5 nats less on average, with noise.
  for (const truth of [0, 1, 2]) {
    const weighting = bayes({ experts: ["a", "b", "c"], k: 3 })();
    expect([...weighting.weights()]).toEqual([1 / 3, 1 / 3, 1 / 3]);
    for (let t = 0; t < 40; t++)
      weighting.see(
        0,
        Float64Array.from([0, 1, 2], (j) => -(3 + 2 * random() - (j === truth ? 1.5 : 0))),
      );
    const weights = weighting.weights();
    expect(weights.indexOf(Math.max(...weights))).toBe(truth);
    expect(weights[truth]).toBeGreaterThan(0.99);
  }
});
