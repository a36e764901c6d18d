import { describe, expect, test } from "vitest";
import { openData } from "../../../server/data/dataset.ts";
import { heldOutWindows } from "../../../server/data/heldOut.ts";
import { expertFacts } from "../../../server/inspect/expertFacts.ts";
import { forward } from "../../../server/inspect/forward.ts";
import { saturation } from "../../../server/inspect/saturation.ts";
import type { WarmModel } from "../../../server/inspect/warmModels.ts";
import { EMBEDDING, expertNames, feedForwardNames, routerName } from "../../../server/parameters/names.ts";
import type { Parameters } from "../../../server/stages/model.ts";
import { randomModel, tiny } from "../stages/support.ts";
import { experts, type InspectedRun, inspectedRun, mixed, unending, watch } from "./run.ts";

/** Held-out windows as texts of their tokens: ids, and the domain. */
async function windowsOf(run: InspectedRun): Promise<{ domain: string; ids: number[] }[]> {
  const data = await openData(run.data);
  const windows: { domain: string; ids: number[] }[] = [];
  for (const domain of run.evaluate.domains) {
    for (const { tokens, weights } of heldOutWindows(data.split(domain, "heldout"), { context: 16, batch: 1 }))
      windows.push({ domain, ids: [...tokens.subarray(0, weights.filter((weight) => weight > 0).length)] });
  }
  data.close();
  return windows;
}

/** A model whose routers send a token to the expert of `expertOf`, by its embedding alone. */
function sorted(expertOf: (id: number) => number): Parameters {
  const config = mixed({ router: { type: "top-k", k: 1, loadBalance: 0 } });
  const parameters = randomModel(config, 3);
  for (const [name, { data }] of parameters) {
    if (name.endsWith("norm.weight")) data.fill(1);
    // Blocks and attention add nothing, so the routers see the embedding.
    else if (/o_proj|w2/.test(name)) data.fill(0);
  }
  for (let id = 0; id < config.vocab; id++) {
    const row = parameters.get(EMBEDDING)!.data.subarray(id * config.hidden, (id + 1) * config.hidden);
    row.fill(0);
    row[expertOf(id)] = 1;
  }
  for (const layer of [0, 1]) {
    const { data } = parameters.get(routerName(layer))!;
    data.fill(0);
    for (let expert = 0; expert < 3; expert++) data[expert * config.hidden + expert] = 1;
  }
  return parameters;
}

describe("the tokens most particular to an expert", () => {
  test("are those that the routers are made to send to it, with counts and places", async () => {
    const config = mixed({ router: { type: "top-k", k: 1, loadBalance: 0 } });
    const seedRun = await inspectedRun();
    const { tokenizer } = (await seedRun.warm("seed")).opened;
    const [a, one] = ["a", "1"].map((character) => tokenizer.encode(character)[0]!);
    const models = { finetune: sorted((id) => (id === a ? 0 : id === one ? 1 : 2)) };
    const run = await inspectedRun({ config, models });
    const model = await run.warm("finetune");
    const windows = await windowsOf(run);
    const all = windows.flatMap(({ ids }) => ids);
    for (const [expert, id, text, domain] of [
      ["letters", a, "a", "letters"],
      ["digits", one, "1", "digits"],
    ] as const) {
      const facts = await expertFacts(model, { expert }, watch());
      const count = all.filter((other) => other === id).length;
      expect(count).toBeGreaterThan(5);
      expect(facts.tokens).toBe(all.length);
      expect(facts.input).toEqual([
        {
          text,
          share: 1,
          base: count / all.length,
          chosen: 2 * count,
          choices: 2 * count,
          occurrences: count,
          contexts: expect.anything(),
        },
      ]);
      const { contexts } = facts.input[0]!;
      expect(contexts).toHaveLength(3);
      const said = windows.map((window) => tokenizer.decode(window.ids));
      for (const context of contexts) {
        expect(context).toMatchObject({ domain, layer: 0, token: text });
        expect(said).toContain(context.before + context.token + context.after);
      }
      const inOne = await expertFacts(model, { expert, layer: 1 }, watch());
      expect(inOne.input[0]).toMatchObject({ share: 1, chosen: count, choices: count });
      expect(inOne.input[0]!.contexts[0]!.layer).toBe(1);
    }
    await model.dispose();
  });

  test.each(["input", "predicted"] as const)("by %s are those of a direct count", async (by) => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const facts = await expertFacts(model, { expert: "digits" }, watch());
    const { tokenizer } = model.opened;
    const counts = new Map<string, { chosen: number; occurrences: number }>();
    for (const { ids } of await windowsOf(run)) {
      const { choices, likeliest } = await routeIds(model, ids);
      for (const [t, id] of ids.entries()) {
        const text = tokenizer.decode([by === "input" ? id : likeliest[t]!]);
        const count = counts.get(text) ?? { chosen: 0, occurrences: 0 };
        counts.set(text, count);
        count.occurrences++;
        for (const layer of choices) if (layer[t]!.includes(1)) count.chosen++;
      }
    }
    const all = [...counts.values()];
    const total = (of: "chosen" | "occurrences") => all.reduce((sum, count) => sum + count[of], 0);
    const base = total("chosen") / (4 * total("occurrences"));
    const particular = [...counts].filter(([, { chosen, occurrences }]) => chosen / (4 * occurrences) > base);
    // Invalid bytes are all decoded alike, so only texts that name one token are compared.
    const told = facts[by].filter(({ text }) => text !== "\ufffd");
    expect(told.length).toBeGreaterThan(0);
    for (const { text, chosen, occurrences, choices, share, base: said } of told) {
      expect({ chosen, occurrences, choices }).toEqual({ ...counts.get(text)!, choices: 4 * occurrences });
      expect(share).toBeCloseTo(chosen / choices, 10);
      expect(said).toBeCloseTo(base, 10);
    }
    if (by === "input") expect(told.map(({ text }) => text).sort()).toEqual(particular.map(([text]) => text).sort());
    await model.dispose();
  });
});

async function routeIds(model: WarmModel, ids: number[]): Promise<{ choices: number[][][]; likeliest: Int32Array }> {
  const { choices, likeliest } = await forward(model, Int32Array.from(ids), { mask: model.mask(), signal: unending() });
  return { choices: [0, 1].map((layer) => ids.map((_, t) => [...choices.of(layer, t)])), likeliest };
}

describe("distances of an expert's weights", () => {
  const flat = (parameters: Parameters, names: { gate: string; up: string; down: string }): number[] =>
    [names.gate, names.up, names.down].flatMap((name) => [...parameters.get(`${name}.weight`)!.data]);
  const norm = (x: number[]): number => Math.hypot(...x);
  const dot = (x: number[], y: number[]): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);

  test("are those of the weights as vectors, to the seed and the other experts, by layer", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const { distances, parameters, layers } = await expertFacts(model, { expert: "digits" }, watch());
    expect(layers).toEqual([0, 1]);
    expect(parameters).toBe(2 * 3 * tiny.hidden * tiny.ffn);
    expect(distances.map(({ to, is }) => [is, to])).toEqual([
      ["seed", "seed"],
      ["expert", "letters"],
      ["expert", "seed"],
    ]);
    const own = run.parameters.get("finetune")!;
    const others = [
      (layer: number) => flat(run.parameters.get("seed")!, feedForwardNames(layer)),
      (layer: number) => flat(own, expertNames(layer, 0)),
      (layer: number) => flat(own, expertNames(layer, 2)),
    ];
    for (const [i, other] of others.entries()) {
      for (const layer of [0, 1]) {
        const [a, b] = [flat(own, expertNames(layer, 1)), other(layer)];
        const difference = a.map((x, j) => x - b[j]!);
        expect(distances[i]!.relative[layer]).toBeCloseTo(norm(difference) / norm(b), 5);
        expect(distances[i]!.cosine[layer]).toBeCloseTo(dot(a, b) / norm(a) / norm(b), 5);
      }
    }
    await model.dispose();
  });

  test.each([
    ["cut in two", { split: 2 }, 6, 2],
    ["blended", { blend: true as const }, 12, 3],
  ])("to the seed are 0 where an expert is %s of it", async (_, mix, width, parts) => {
    const names =
      parts === 2 ? experts.flatMap((name) => [`${name}.1`, `${name}.2`]) : ["blend.1", "blend.2", "blend.3"];
    const config = mixed({ experts: names, ffn: width });
    const seed = randomModel(tiny, 1);
    const finetune = randomModel(config, 2);
    const size = tiny.ffn / parts;
    for (const layer of [0, 1]) {
      const block = feedForwardNames(layer);
      const to = expertNames(layer, 1);
      // The second part of the seed's block, as often as the width has room for it.
      const from = (row: number) => size + (row % size);
      for (let row = 0; row < width; row++) {
        for (let d = 0; d < tiny.hidden; d++) {
          for (const part of ["gate", "up"] as const)
            finetune.get(`${to[part]}.weight`)!.data[row * tiny.hidden + d] = seed.get(`${block[part]}.weight`)!.data[
              from(row) * tiny.hidden + d
            ]!;
          finetune.get(`${to.down}.weight`)!.data[d * width + row] = seed.get(`${block.down}.weight`)!.data[
            d * tiny.ffn + from(row)
          ]!;
        }
      }
    }
    const run = await inspectedRun({ config, mix, models: { seed, finetune } });
    const model = await run.warm("finetune");
    const { distances } = await expertFacts(model, { expert: names[1]! }, watch());
    expect(distances[0]).toEqual({
      is: "seed",
      to: "seed",
      relative: [0, 0],
      cosine: [expect.closeTo(1, 6), expect.closeTo(1, 6)],
    });
    expect(distances[1]!.relative[0]).toBeGreaterThan(0.1);
    await model.dispose();
  });
});

describe("router saturation", () => {
  test("is the mean share of a token's experts that are the same in both models", async () => {
    const run = await inspectedRun();
    const [mix, finetune] = [await run.warm("mix"), await run.warm("finetune")];
    const answered = await saturation(finetune, mix, watch());
    expect(answered).toMatchObject({ layers: [0, 1], domains: ["letters", "digits"] });
    const windows = await windowsOf(run);
    const rows: number[][][] = [0, 1].map(() => [[], [], []]);
    for (const { domain, ids } of windows) {
      const [then, now] = [await routeIds(mix, ids), await routeIds(finetune, ids)];
      for (const layer of [0, 1]) {
        for (const t of ids.keys()) {
          const before = then.choices[layer]![t]!;
          const share = now.choices[layer]![t]!.filter((expert) => before.includes(expert)).length / 2;
          rows[layer]![answered.domains.indexOf(domain)]!.push(share);
          rows[layer]![2]!.push(share);
        }
      }
    }
    const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
    expect(answered.saturation).toEqual(rows.map((row) => row.map((values) => expect.closeTo(mean(values), 10))));
    expect((await saturation(mix, mix, watch())).saturation).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    await Promise.all([mix.dispose(), finetune.dispose()]);
  });

  test("is refused of models whose experts are not the same", async () => {
    const run = await inspectedRun();
    await expect(saturation(await run.warm("finetune"), await run.warm("seed"), watch())).rejects.toThrow(
      /cannot be compared/,
    );
  });
});
