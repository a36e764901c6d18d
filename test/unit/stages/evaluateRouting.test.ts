import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { heldOutRouting } from "../../../server/inspect/heldOut.ts";
import { drawsExperts, EVALUATION_NOISE_SEED, gumbelNoise } from "../../../server/model/noise.ts";
import type { ModelConfig, RouterConfig } from "../../../server/protocol/model.ts";
import { vocabularySpecialisation } from "../../../server/routing/vocabularySpecialisation.ts";
import { evaluate } from "../../../server/stages/evaluate.ts";
import { inspectedRun, mixed, watch } from "../inspect/run.ts";
import { heldOut, mixture, slowNll, spec, sum, twoDomains } from "./evaluationSupport.ts";
import { contextOf, randomModel, stageWithModel } from "./support.ts";

test("every token is routed to K experts with gates that sum to 1, padding to none", async () => {
  const [data, model] = [await twoDomains(), await stageWithModel(mixture, randomModel(mixture, 1))];
  const { routing, losses } = await evaluate(contextOf(spec(), { parents: { data, model } }));
  const { layers, experts, domains, tokens, routedTokens, gateMass } = routing!;
  expect({ layers, experts, domains }).toEqual({
    layers: [0, 1],
    experts: ["x", "y", "z"],
    domains: ["letters", "digits"],
  });
  domains.forEach((domain, d) => {
    expect(tokens[d]).toBe(losses![domain]!.tokens);
    for (const layer of [0, 1]) {
      const ofExperts = experts.map((_, e) => routedTokens[layer]![e]![d]!);
      expect(sum(ofExperts)).toBe(2 * tokens[d]!);
      for (const count of ofExperts) expect(Number.isInteger(count) && count <= tokens[d]!).toBe(true);
      expect(sum(experts.map((_, e) => gateMass[layer]![e]![d]!))).toBeCloseTo(tokens[d]!, 3);
    }
  });
});

test("the routing of a domain does not depend on the domains it is evaluated with, nor on the batch", async () => {
  const [data, model] = [await twoDomains(), await stageWithModel(mixture, randomModel(mixture, 1))];
  const both = await evaluate(contextOf(spec(), { parents: { data, model } }));
  const alone = await evaluate(contextOf(spec({ domains: ["digits"], batch: 2 }), { parents: { data, model } }));
  for (const layer of [0, 1]) {
    const ofDigits = (table: number[][][], at: number) => table[layer]!.map((expert) => expert[at]!);
    expect(ofDigits(both.routing!.routedTokens, 1)).toEqual(ofDigits(alone.routing!.routedTokens, 0));
    ofDigits(both.routing!.gateMass, 1).forEach((mass, e) => {
      expect(mass).toBeCloseTo(ofDigits(alone.routing!.gateMass, 0)[e]!, 3);
    });
  }
});

test("pairs of experts and histograms of each domain lie beside the record", async () => {
  const [data, model] = [await twoDomains(), await stageWithModel(mixture, randomModel(mixture, 1))];
  const context = contextOf(spec(), { parents: { data, model } });
  const { routing } = await evaluate(context);
  const { routedTokens, tokens, entropy, probability } = routing!;
  const { routingDetail, routingDetailIndex } = context.paths;
  expect(JSON.parse(readFileSync(routingDetailIndex, "utf8"))).toMatchObject({
    version: 1,
    statistics: ["coActivation", "transitions", "histogram"],
    layers: [0, 1],
    experts: ["x", "y", "z"],
    domains: ["letters", "digits"],
  });
  const [L, E] = [2, 3];
  const size = (2 * L - 1) * E * E + L * E * 10;
  const values = new Float32Array(new Uint8Array(readFileSync(routingDetail)).buffer);
  expect(values).toHaveLength(2 * size);
  for (const d of [0, 1]) {
    const record = values.subarray(d * size, (d + 1) * size);
    for (const layer of [0, 1]) {
      expect(entropy![layer]![d]! / tokens[d]!).toBeLessThanOrEqual(Math.log(3));
      expect(sum([0, 1, 2].map((e) => probability![layer]![e]![d]!))).toBeCloseTo(tokens[d]!, 2);
      for (const e of [0, 1, 2]) {
        const row = [...record.subarray((layer * E + e) * E, (layer * E + e + 1) * E)];
        expect(row[e]).toBe(routedTokens[layer]![e]![d]!);
        // Each of its tokens has one other expert.
        expect(sum(row)).toBe(2 * row[e]!);
        const start = (2 * L - 1) * E * E + (layer * E + e) * 10;
        expect(sum([...record.subarray(start, start + 10)])).toBe(tokens[d]!);
      }
    }
    expect(sum([...record.subarray(L * E * E, (2 * L - 1) * E * E)])).toBe(4 * tokens[d]!);
  }
});

test("how far experts follow the token is what the inspector's choices of the same text give", async () => {
  const run = await inspectedRun({ models: { finetune: randomModel(mixed(), 7) } });
  const model = await run.warm("finetune");
  const windows = await heldOutRouting(model, model.found, watch());
  const stage = await stageWithModel(model.config(), run.parameters.get("finetune")!);
  const { routing } = await evaluate(contextOf(run.evaluate, { parents: { data: run.data, model: stage } }));
  for (const of of ["input", "predicted"] as const) {
    const expected = vocabularySpecialisation(windows, model.config(), run.evaluate.domains, of);
    const [L, rows, E] = [2, 3, 3];
    for (let at = 0; at < L * rows * E; at++) {
      const [layer, row, expert] = [Math.floor(at / (rows * E)), Math.floor(at / E) % rows, at % E];
      expect(routing!.vocabulary![of][layer]![expert]![row]).toBeCloseTo(expected[at]!, 6);
    }
  }
  expect(Math.max(...routing!.vocabulary!.input.flat(2))).toBeGreaterThan(0.5);
  await model.dispose();
});

const routers: RouterConfig[] = [
  { type: "switch", capacity: 0.1, loadBalance: 0 },
  { type: "soft", loadBalance: 0.1 },
  { type: "top-k", k: 2, softmax: "before", loadBalance: 0, balance: "bias", biasRate: 0.1 },
  { type: "sample-top-1", temperatureRate: 1, minTemperature: 0.5, loadBalance: 0 },
];
test.each(
  routers,
)("the losses of a model with a $type router are those of a slow computation, whatever the batch", async (router) => {
  const config: ModelConfig = { ...mixture, moe: { ...mixture.moe!, router } };
  const parameters = randomModel(config, 1);
  const [data, model] = [await twoDomains(), await stageWithModel(config, parameters)];
  const [three, two] = [
    contextOf(spec(), { parents: { data, model } }),
    contextOf(spec({ batch: 2 }), { parents: { data, model } }),
  ];
  const [one, other] = [await evaluate(three), await evaluate(two)];
  /** The noise of each window of a domain, by its number. */
  const noiseOf = (window: number) => {
    if (!drawsExperts(config)) return undefined;
    const flat = [...gumbelNoise(config, config.context, EVALUATION_NOISE_SEED, window)];
    return [0, 1].map((layer) =>
      Array.from({ length: config.context }, (_, t) =>
        flat.slice((layer * config.context + t) * 3, (layer * config.context + t + 1) * 3),
      ),
    );
  };
  for (const domain of ["letters", "digits"]) {
    const nll = slowNll(config, parameters, await heldOut(data, domain), noiseOf);
    expect(one.losses![domain]!.nats).toBeCloseTo(sum(nll) / nll.length, 4);
    expect(other.losses![domain]!.nats).toBeCloseTo(one.losses![domain]!.nats, 5);
  }
  expect(other.routing!.routedTokens).toEqual(one.routing!.routedTokens);
  expect(one.routing).not.toHaveProperty("droppedTokens");
});

test("tokens that an expert had no place for are counted where evaluation has a capacity", async () => {
  const router: RouterConfig = { type: "switch", capacity: 1, evaluationCapacity: 0.5, loadBalance: 0 };
  const config: ModelConfig = { ...mixture, moe: { ...mixture.moe!, router } };
  const [data, model] = [await twoDomains(), await stageWithModel(config, randomModel(config, 1))];
  const { tokens, routedTokens, droppedTokens } = (await evaluate(contextOf(spec(), { parents: { data, model } })))
    .routing!;
  tokens.forEach((count, d) => {
    for (const layer of [0, 1]) {
      const [routed, dropped] = [routedTokens, droppedTokens!].map((table) =>
        sum(table[layer]!.map((expert) => expert[d]!)),
      );
      expect(routed! + dropped!).toBe(count);
      // Each of 3 experts has room for a sixth of the tokens, rounded up a batch.
      expect(dropped!).toBeGreaterThan(count / 3);
    }
  });
});
