import { describe, expect, test } from "vitest";
import { openData } from "../../../../server/data/dataset.ts";
import type { MixSpec } from "../../../../server/protocol/stage.ts";
import { textBatches } from "../../../../server/stages/mixing/domainMeans.ts";
import { routersFromText, type TextRouters, textsOf } from "../../../../server/stages/mixing/routersFromText.ts";
import { referenceBlockInputs } from "../../model/blockInputReference.ts";
import { contextOf, documentsOf, randomModel, stageWithData, tiny, toWeights } from "../support.ts";

const domains = {
  letters: { documents: documentsOf("abcd", 12, 60) },
  digits: { documents: documentsOf("0123", 9, 70) },
};
const dense = { ...tiny, ffnBias: true };
const model = randomModel(dense, 3);
const layers = [0, 1];
const randomSeed = 7;

const spec: MixSpec = { kind: "mix", experts: [], router: { type: "top-k", k: 1, loadBalance: 0 }, randomSeed };
const read: string[] = [];
const routers = (folder: string, more: Partial<TextRouters> & Pick<TextRouters, "init">) =>
  routersFromText(contextOf(spec, { parents: { data: folder } }), {
    dense,
    layers,
    modelOf: ["letters", "digits"],
    mean: (name) => {
      read.push(name);
      return model.get(name)!.data;
    },
    ...more,
  });

/** Tokens of a domain's sample that count, by sequence, from the training sequences in the sampler's order. */
async function sample(folder: string, domain: string, tokens: number): Promise<number[][]> {
  const data = await openData(folder);
  const rows: number[][] = [];
  for (const batch of textBatches(data, domain, { tokens, batch: 1, context: dense.context, randomSeed })) {
    rows.push([...batch.tokens].filter((_, n) => batch.weights[n] === 1));
  }
  data.close();
  return rows;
}

const mean = (vectors: number[][]): number[] =>
  vectors[0]!.map((_, i) => vectors.reduce((sum, x) => sum + x[i]!, 0) / vectors.length);

/** Rows by the definition, of experts with these means. */
function unitRows(means: number[][]): number[][] {
  const centre = mean(means);
  return means.map((m) => {
    const difference = m.map((x, i) => x - centre[i]!);
    const length = Math.hypot(...difference);
    return difference.map((x) => x / length);
  });
}

function expectRows(actual: Float32Array, expected: number[][], digits = 6): void {
  expect(actual.length).toBe(expected.flat().length);
  for (const [i, value] of expected.flat().entries()) expect(actual[i]).toBeCloseTo(value, digits);
}

const name = (layer: number) => `model.layers.${layer}.block_sparse_moe.gate.weight`;

describe("textBatches", () => {
  test("are as many tokens as asked, of the domain's training text, and other ones for another seed", async () => {
    const data = await openData(await stageWithData(domains));
    const batches = (seed: number, batch: number) => [
      ...textBatches(data, "letters", { tokens: 40, batch, context: 16, randomSeed: seed }),
    ];
    const counted = (seed: number, batch: number) =>
      batches(seed, batch).flatMap(({ tokens, weights }) => [...tokens].filter((_, n) => weights[n] === 1));
    const file = data.split("letters", "train");
    const text = new Set(file.read(0, file.length));
    const tokens = counted(1, 1);
    expect(tokens).toHaveLength(40);
    expect(tokens.every((token) => text.has(token))).toBe(true);
    expect(batches(1, 2).map(({ tokens }) => tokens.length)).toEqual([32, 32]);
    expect(counted(1, 2)).toEqual(tokens);
    expect(counted(2, 1)).not.toEqual(tokens);
    data.close();
  });
});

describe("textsOf", () => {
  test("gives a domain's expert its domain, any other all domains, and equal experts one text", () => {
    expect(textsOf(["code", "code", "prose", "seed"], ["code", "prose"])).toEqual({
      texts: [["code"], ["prose"], ["code", "prose"]],
      textOf: [0, 0, 1, 2],
    });
    expect(textsOf(["copy1", "copy2"], ["code", "prose"])).toEqual({ texts: [["code", "prose"]], textOf: [0, 0] });
    expect(textsOf(["code", "seed"], ["code"])).toEqual({ texts: [["code"]], textOf: [0, 0] });
  });
});

describe("routersFromText", () => {
  const embedding = toWeights(model).get("model.embed_tokens.weight")!;

  test('"domains" compares mean embeddings, the same in every layer, and needs the embedding only', async () => {
    const folder = await stageWithData(domains);
    read.length = 0;
    const rows = await routers(folder, { init: { from: "domains", tokens: 50 } });
    expect(read).toEqual(["model.embed_tokens.weight"]);
    const means = await Promise.all(
      ["letters", "digits"].map(async (domain) =>
        mean((await sample(folder, domain, 50)).flat().map((token) => embedding[token]!)),
      ),
    );
    expectRows(rows.get(name(0))!, unitRows(means));
    expect(rows.get(name(1))).toEqual(rows.get(name(0)));
    expect([...rows.keys()]).toEqual([name(0), name(1)]);
  });

  test('"hidden" compares, layer by layer, mean inputs of the feed-forward block', async () => {
    const folder = await stageWithData(domains);
    const rows = await routers(folder, { init: { from: "hidden", tokens: 50 } });
    const samples = await Promise.all(["letters", "digits"].map((domain) => sample(folder, domain, 50)));
    for (const layer of layers) {
      const means = samples.map((sequences) =>
        mean(sequences.flatMap((tokens) => referenceBlockInputs(toWeights(model), tokens, dense, layer))),
      );
      expectRows(rows.get(name(layer))!, unitRows(means), 4);
    }
    const later = await routers(folder, { init: { from: "hidden", tokens: 50 }, layers: [1] });
    expect([...later]).toEqual([[name(1), rows.get(name(1))]]);
  });

  test.each([
    "domains",
    "hidden",
  ] as const)('"%s" gives the seed beside all domains a row of 0, and beside some the rows of what no expert stands for', async (from) => {
    const folder = await stageWithData(domains);
    const init = { from, tokens: 50 };
    const width = dense.hidden;
    const all = await routers(folder, { init, modelOf: ["letters", "digits", "seed"] });
    const two = await routers(folder, { init });
    for (const layer of layers) {
      const rows = all.get(name(layer))!;
      expect([...rows.subarray(2 * width)]).toEqual(Array(width).fill(0));
      expectRows(rows.subarray(0, 2 * width), [[...two.get(name(layer))!]]);
      // Alone with the letters' expert, the seed leans to the digits, of which it alone is made too.
      const some = (await routers(folder, { init, modelOf: ["letters", "seed"] })).get(name(layer))!;
      expectRows(some, [[...two.get(name(layer))!]]);
    }
  });

  test("parts of one expert have its row but for a small difference", async () => {
    const folder = await stageWithData(domains);
    const init = { from: "hidden" as const, tokens: 50 };
    const whole = await routers(folder, { init });
    const parts = await routers(folder, { init, modelOf: ["letters", "letters", "digits", "digits"] });
    const width = dense.hidden;
    for (const layer of layers) {
      const row = (of: Map<string, Float32Array>, expert: number) =>
        of.get(name(layer))!.subarray(expert * width, (expert + 1) * width);
      for (const part of [0, 1, 2, 3]) {
        const distance = Math.hypot(...row(parts, part).map((x, i) => x - row(whole, Math.floor(part / 2))[i]!));
        expect(distance).toBeGreaterThan(0);
        expect(distance).toBeLessThan(0.1);
      }
      expect(row(parts, 0)).not.toEqual(row(parts, 1));
    }
  });

  test("refuses a domain with less text than one sequence, naming it", async () => {
    const folder = await stageWithData({ ...domains, digits: { documents: ["1", "2", "3", "4", "5", "6"] } });
    const attempt = await routers(folder, { init: { from: "domains", tokens: 50 } }).catch((thrown: unknown) => thrown);
    expect(attempt).toMatchObject({ name: "UserError" });
    expect((attempt as Error).message).toContain('the domain "digits" has');
  });
});
