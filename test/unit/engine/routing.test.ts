import { describe, expect, test } from "vitest";
import { compile } from "../../../server/engine/onnx/compile.ts";
import type { Store } from "../../../server/engine/store.ts";
import { eager } from "../../../server/engine/tfjs/eager.ts";
import { balanceMeans } from "../../../server/model/balanceMeans.ts";
import { cacheShapes, decode, decodeBatch } from "../../../server/model/decode.ts";
import { evaluation, sequenceBatch } from "../../../server/model/loss.ts";
import { gumbelNoise } from "../../../server/model/noise.ts";
import { type Program, sizeOf, type TensorSpecs, type Values } from "../../../server/ops/program.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { expectClose, float, ints } from "../../fixtures/engine.ts";
import { dense, routed, storeOf } from "../../fixtures/models.ts";

/** Programs other than training, compiled and eager, for every way of routing. */

const sequences = 3;
const whole = [sequences, dense.context];
const first: ModelConfig = { ...routed["sample-top-1"]!, moe: { ...routed["sample-top-1"]!.moe!, layers: [1] } };
const cases: [name: string, config: ModelConfig][] = [
  ...Object.entries(routed),
  ["sample-top-1 in the first layer alone, which does not draw", first],
];

/** Random weights far from 0, so that routers are decided and their biases matter. */
function decided(config: ModelConfig): Store {
  const store = storeOf(config);
  store.names().forEach((name, i) => {
    const { shape } = store.get(name);
    const centre = name.endsWith("norm.weight") ? 1 : 0;
    store.set(name, shape, float(shape, i + 1, 0.4).data.map((x) => x + centre) as Float32Array);
  });
  return store;
}

async function expectAlike(
  program: Program,
  stores: [Store, Store],
  batch: TensorSpecs,
  inputs: Record<string, Values>,
) {
  const fast = await compile(program, stores[0], batch, { threads: 1 });
  const results = await fast.run(inputs);
  const expected = await eager(program, stores[1], batch, { backend: "cpu" }).run(inputs);
  expect(Object.keys(results).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) expectClose(results[name]!, values, 1e-4);
  await fast.dispose();
  return results;
}

const noiseFor = (config: ModelConfig, batch: TensorSpecs): Record<string, Values> =>
  batch.noise ? { noise: gumbelNoise(config, batch.noise.shape[1]!, 3, 1) } : {};

const sequencesOf = (config: ModelConfig, batch: TensorSpecs): Record<string, Values> => ({
  tokens: ints(whole, 1, config.vocab).data,
  targets: ints(whole, 2, config.vocab).data,
  weights: Float32Array.from({ length: sizeOf(whole) }, (_, i) => (i % 5 === 0 ? 0 : 1)),
  domain: Int32Array.of(0, 1, 0),
  ...noiseFor(config, batch),
  ...(batch.progress ? { progress: Float32Array.of(0.5) } : {}),
});

describe.each(cases)("%s", (_, config) => {
  test("is evaluated alike, compiled and eagerly", async () => {
    const batch = sequenceBatch(config, sequences, config.context, { training: false });
    const results = await expectAlike(
      evaluation(config, 2),
      [decided(config), decided(config)],
      batch,
      sequencesOf(config, batch),
    );
    expect("droppedTokens" in results).toBe(config.moe!.router.type === "switch");
    if (results.droppedTokens) expect(Math.max(...results.droppedTokens)).toBeGreaterThan(0);
  });

  test("is decoded alike, compiled and eagerly", async () => {
    const stores = [decided(config), decided(config)] as [Store, Store];
    for (const store of stores)
      for (const [name, shape] of cacheShapes(config, 2, config.context))
        store.set(name, shape, new Float32Array(sizeOf(shape)));
    const batch = decodeBatch(config, 2, 4);
    const inputs = {
      tokens: ints([2, 4], 5, config.vocab).data,
      positions: Int32Array.of(0, 0),
      lengths: Int32Array.of(4, 3),
    };
    await expectAlike(decode(config), stores, batch, { ...inputs, ...noiseFor(config, batch) });
    const next = decodeBatch(config, 2, 1);
    const one = { tokens: Int32Array.of(3, 4), positions: Int32Array.of(4, 3), lengths: Int32Array.of(1, 1) };
    await expectAlike(decode(config), stores, next, { ...one, ...noiseFor(config, next) });
  });
});

test.each(
  cases.filter(([, { moe }]) => moe!.router.balance !== "bias"),
)("%s has the same balancing means, compiled and eagerly", async (_, config) => {
  const batch = sequenceBatch(config, sequences);
  await expectAlike(balanceMeans(config), [decided(config), decided(config)], batch, sequencesOf(config, batch));
});
