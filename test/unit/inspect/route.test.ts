import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../../server/data/tokenizers/load.ts";
import { Store } from "../../../server/engine/store.ts";
import { eager } from "../../../server/engine/tfjs/eager.ts";
import { route } from "../../../server/inspect/route.ts";
import { inspection, inspectionBatch } from "../../../server/model/inspection.ts";
import { drawsExperts, EVALUATION_NOISE_SEED, gumbelNoise, joinNoise } from "../../../server/model/noise.ts";
import type { Values } from "../../../server/ops/program.ts";
import { routerBiasName } from "../../../server/parameters/names.ts";
import { expertsPerToken, type ModelConfig, type RouterConfig } from "../../../server/protocol/model.ts";
import { expertsResult, gatesResult } from "../../../server/protocol/routingStatistics.ts";
import type { Parameters } from "../../../server/stages/model.ts";
import "../../fixtures/engine.ts";
import { referenceLogits, softmax } from "../model/reference.ts";
import { randomModel, tiny, tokenizerFolder, toWeights } from "../stages/support.ts";
import { experts, inspectedRun, mixed, neverThere, unending } from "./run.ts";

const text = "Zwölf Boxkämpfer 🥊";
const bytes = await loadTokenizer(tokenizerFolder());
const idsOf = (said: string): number[] => [...bytes.encode(said)];

/** Routing of one whole window by the oracle: [layer][token] pairs of expert and gate, largest gate first. */
async function oracle(config: ModelConfig, parameters: Parameters, ids: number[]): Promise<[number, number][][][]> {
  const store = new Store();
  for (const [name, { shape, data }] of parameters) store.set(name, shape, data);
  const noise = Array.from(ids, (_, position) => gumbelNoise(config, 1, EVALUATION_NOISE_SEED, position));
  const { layers, experts: names } = config.moe!;
  const batch: Record<string, Values> = {
    tokens: Int32Array.from(ids),
    targets: Int32Array.from(ids),
    mask: new Float32Array(layers.length * names.length),
    ...(drawsExperts(config) ? { noise: joinNoise(config, noise) } : {}),
  };
  const results = await eager(inspection(config), store, inspectionBatch(config, 1, ids.length), {
    backend: "cpu",
  }).run(batch);
  return layers.map((_, layer) => {
    const k = expertsPerToken(config.moe!, layer);
    return ids.map((_, token) =>
      Array.from({ length: k }, (_, i): [number, number] => [
        results[expertsResult(layer)]![token * k + i]!,
        results[gatesResult(layer)]![token * k + i]!,
      ]).sort((a, b) => b[1] - a[1]),
    );
  });
}

/** The same of an answer. */
function pairs({ chosen, gates, k, layers, tokens }: Awaited<ReturnType<typeof route>>): [number, number][][][] {
  return layers.map((_, layer) =>
    tokens.map((_, token) =>
      Array.from({ length: k }, (_, i): [number, number] => {
        const at = (layer * tokens.length + token) * k + i;
        return [chosen[at]!, gates[at]!];
      }).filter(([expert]) => expert >= 0),
    ),
  );
}

const expectRouting = (actual: [number, number][][][], expected: [number, number][][][]): void =>
  expect(actual).toEqual(
    expected.map((layer) => layer.map((token) => token.map(([expert, gate]) => [expert, expect.closeTo(gate, 4)]))),
  );

const routers: RouterConfig[] = [
  { type: "top-k", k: 2, loadBalance: 0 },
  { type: "top-k", k: 1, softmax: "before", loadBalance: 0, balance: "bias", biasRate: 0.1 },
  { type: "switch", capacity: 0.5, evaluationCapacity: 0.5, loadBalance: 0 },
  { type: "soft", loadBalance: 0 },
  { type: "sample-top-1", temperatureRate: 1, minTemperature: 0.5, loadBalance: 0 },
];

describe.each(routers)("with a $type router", (router) => {
  const config: ModelConfig = { ...mixed({ router }), context: 32 };

  test("tokens go where the oracle sends them, and no token is dropped", async () => {
    const run = await inspectedRun({ config });
    const model = await run.warm("finetune");
    const routed = await route(model, { text }, unending());
    expectRouting(pairs(routed), await oracle(config, run.parameters.get("finetune")!, idsOf(text)));
    expect(routed.layers).toEqual([0, 1]);
    expect(routed.experts.map(({ name }) => name)).toEqual(experts);
    await model.dispose();
  });

  test("to an expert that is switched off goes no token", async () => {
    const run = await inspectedRun({ config });
    const model = await run.warm("finetune");
    const fewer = pairs(await route(model, { text, off: ["digits"] }, unending())).flat();
    expect(fewer.flat().filter(([expert]) => expert === 1)).toEqual([]);
    for (const token of fewer) expect(token.length).toBeGreaterThan(0);
    await model.dispose();
  });

  // What that router draws depends on how many experts there are.
  test.skipIf(router.type === "sample-top-1")("without an expert they go as in a model that never had it", async () => {
    const parameters = randomModel(config, 7);
    // The expert that is switched off is liked, so that it would be missed.
    const bias = parameters.get(routerBiasName(0));
    if (bias) bias.data[1] = 5;
    const run = await inspectedRun({ config, models: { finetune: parameters } });
    const model = await run.warm("finetune");
    const usual = pairs(await route(model, { text }, unending()));
    const fewer = pairs(await route(model, { text, off: ["digits"] }, unending()));
    expect(usual.flat(2).some(([expert]) => expert === 1)).toBe(true);
    const names = experts.filter((name) => name !== "digits");
    const reduced: ModelConfig = { ...config, moe: { ...config.moe!, experts: names } };
    const expected = await oracle(reduced, neverThere(config, parameters, 1), idsOf(text));
    expectRouting(
      fewer,
      expected.map((layer) => layer.map((token) => token.map(([expert, gate]) => [expert === 0 ? 0 : 2, gate]))),
    );
    await model.dispose();
  });
});

describe("a text", () => {
  test("has the surprise and the likeliest tokens of a slow computation", async () => {
    const config = { ...mixed(), context: 32 };
    const run = await inspectedRun({ config });
    const model = await run.warm("finetune");
    const { surprise, predicted } = await route(model, { text }, unending());
    const ids = idsOf(text);
    const scores = referenceLogits(toWeights(run.parameters.get("finetune")!), ids, config);
    const nats = ids.map((id, t) => (t === 0 ? null : expect.closeTo(-Math.log(softmax(scores[t - 1]!)[id]!), 3)));
    expect(surprise).toEqual(nats);
    const best = scores.map((row) => row.indexOf(Math.max(...row)));
    expect(predicted).toEqual(best.map((id) => bytes.decode([id])));
    await model.dispose();
  });

  test("longer than the context is cut in windows of which each but the first gives its second half", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const config = model.config();
    const long = Array.from({ length: 16 * 9 + 5 }, (_, i) => String.fromCharCode(97 + ((i * i + 3) % 26))).join("");
    const routed = await route(model, { text: long }, unending());
    const ids = idsOf(long);
    const weights = toWeights(run.parameters.get("finetune")!);
    for (let start = 0; start < ids.length; start += 8) {
      const window = ids.slice(start, start + 16);
      const own = await route(model, { text: long.slice(start, start + 16) }, unending());
      const from = start === 0 ? 0 : 8;
      expect(pairs(routed).map((layer) => layer.slice(start + from, start + 16))).toEqual(
        pairs(own).map((layer) => layer.slice(from)),
      );
      const scores = referenceLogits(weights, window, config);
      for (let t = Math.max(1, from); t < window.length; t++)
        expect(routed.surprise[start + t]).toBeCloseTo(-Math.log(softmax(scores[t - 1]!)[window[t]!]!), 3);
    }
    expect(routed.surprise.filter((nats) => nats === null)).toHaveLength(1);
    await model.dispose();
  });

  test("goes to as many experts as are asked for", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const parameters = run.parameters.get("finetune")!;
    for (const k of [1, 3]) {
      const routed = await route(model, { text: "abcdefg", k }, unending());
      const config = mixed({ router: { type: "top-k", k, loadBalance: 0 } });
      expect(routed.k).toBe(k);
      expectRouting(pairs(routed), await oracle(config, parameters, idsOf("abcdefg")));
    }
    const { chosen } = await route(model, { text: "abcdefg", k: 3, off: ["digits"] }, unending());
    for (let i = 0; i < chosen.length; i += 3) {
      expect([...chosen.slice(i, i + 2)].sort()).toEqual([0, 2]);
      expect(chosen[i + 2]).toBe(-1);
    }
    await expect(route(model, { text: "a", k: 4 }, unending())).rejects.toThrow(/cannot go to 4/);
    await model.dispose();
  });

  test("has the measures of a slow count over its tokens, each counted once whatever the windows", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const long = Array.from({ length: 16 * 4 + 5 }, (_, i) => String.fromCharCode(97 + ((i * i + 3) % 26))).join("");
    const { measures, ...routed } = await route(model, { text: long, measured: true }, unending());
    const { k, layers, tokens } = routed;
    const E = experts.length;
    const own = pairs(routed);
    const ofCells = (value: (chosen: [number, number][], expert: number) => number) =>
      layers.flatMap((_, layer) =>
        experts.map((__, expert) =>
          expect.closeTo(own[layer]!.reduce((sum, token) => sum + value(token, expert), 0) / tokens.length, 4),
        ),
      );
    const chose = (token: [number, number][], expert: number) => Number(token.some(([one]) => one === expert));
    expect(measures!.cells.domainSpecialisation).toEqual(ofCells(chose));
    expect(measures!.cells.routedShare).toEqual(ofCells((token, expert) => chose(token, expert) / k));
    expect(measures!.cells.gateMass).toEqual(
      ofCells((token, expert) => token.find(([one]) => one === expert)?.[1] ?? 0),
    );
    const ids = [...idsOf(long)];
    /** Of the other places of a token's kind, the share that chose the expert, mean over the tokens that did. */
    const vocabulary = layers.flatMap((_, layer) =>
      experts.map((__, expert) => {
        const shares = own[layer]!.flatMap((token, at) => {
          const others = own[layer]!.filter((___, other) => other !== at && ids[other] === ids[at]);
          if (chose(token, expert) === 0 || others.length === 0) return [];
          return [others.reduce((sum, other) => sum + chose(other, expert), 0) / others.length];
        });
        return expect.closeTo(shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length), 4);
      }),
    );
    expect(measures!.cells.vocabularyInput).toEqual(vocabulary);
    const loads = layers.map((_, layer) =>
      experts.map((__, expert) => own[layer]!.reduce((sum, token) => sum + chose(token, expert), 0)),
    );
    const mean = (k * tokens.length) / E;
    expect(measures!.layers.imbalance).toEqual(loads.map((load) => expect.closeTo(Math.max(...load) / mean, 4)));

    // With all experts chosen the gates are the router's softmax; of the first layer alone, since the others read its output.
    const all = pairs(await route(model, { text: long, k: E }, unending()))[0]!;
    const probabilities = all.map((token) => experts.map((_, expert) => token.find(([one]) => one === expert)![1]));
    const total = (of: (token: number[]) => number) => probabilities.reduce((sum, token) => sum + of(token), 0);
    expect(measures!.cells.probability!.slice(0, E)).toEqual(
      experts.map((_, expert) => expect.closeTo(total((token) => token[expert]!) / tokens.length, 4)),
    );
    const entropy = total((token) => -token.reduce((sum, p) => sum + p * Math.log(p), 0)) / tokens.length;
    expect(measures!.layers.entropy![0]).toBeCloseTo(entropy, 3);
    const bins = 10;
    expect(measures!.histogram.slice(0, E * bins)).toEqual(
      experts.flatMap((_, expert) =>
        Array.from({ length: bins }, (__, bin) =>
          expect.closeTo(total((token) => Number(Math.floor(token[expert]! * bins) === bin)) / tokens.length, 4),
        ),
      ),
    );
    expect((await route(model, { text: "", measured: true }, unending())).measures).toBeUndefined();
    expect((await route(model, { text: "abc" }, unending())).measures).toBeUndefined();
    const dense = await run.warm("seed");
    expect((await route(dense, { text: "abc", measured: true }, unending())).measures).toBeUndefined();
    await dense.dispose();
    await model.dispose();
  });

  test("that is empty has no tokens", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    expect(await route(model, { text: "" }, unending())).toMatchObject({ tokens: [], chosen: [], surprise: [] });
    await model.dispose();
  });

  test("of a dense model has surprise only", async () => {
    const run = await inspectedRun();
    const model = await run.warm("seed");
    const routed = await route(model, { text: "abc" }, unending());
    expect(routed).toMatchObject({ layers: [], experts: [], k: 0, chosen: [], gates: [] });
    expect(routed.surprise).toHaveLength(3);
    await expect(route(model, { text: "abc", off: ["digits"] }, unending())).rejects.toThrow(/has no experts/);
    await model.dispose();
  });

  test("is not routed when an expert is unknown, or all are switched off", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    await expect(route(model, { text: "a", off: ["x"] }, unending())).rejects.toThrow(/no expert "x"; it has letters,/);
    await expect(route(model, { text: "a", off: experts }, unending())).rejects.toThrow(/leave one on/);
    await model.dispose();
  });

  test("is left when it is no longer wanted", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const controller = new AbortController();
    const routing = route(model, { text: "abc ".repeat(tiny.context * 10) }, controller.signal);
    controller.abort(new Error("not wanted"));
    await expect(routing).rejects.toThrow("not wanted");
    await model.dispose();
  });
});

test("experts have the colours of the stages they come from", async () => {
  const run = await inspectedRun();
  const model = await run.warm("finetune");
  expect(model.axes().experts).toEqual([
    { name: "letters", color: "one" },
    { name: "digits", color: "two" },
    { name: "seed", color: "seed" },
  ]);
});
