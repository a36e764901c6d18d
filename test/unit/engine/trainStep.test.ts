import { expect, test } from "vitest";
import { eager } from "../../../server/engine/eager/eager.ts";
import type { TensorSpecs, Values } from "../../../server/engine/program.ts";
import { compile } from "../../../server/engine/runtime/compile.ts";
import { sequenceBatch } from "../../../server/model/loss.ts";
import { gumbelNoise } from "../../../server/model/noise.ts";
import { adamWInputs, optimizerInputs } from "../../../server/model/optimizer.ts";
import { trainStep } from "../../../server/model/trainStep.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { expectClose, ints } from "../../fixtures/engine.ts";
import { dense, mixture, routed, storeOf } from "../../fixtures/models.ts";

const training = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, clip: 1, weightDecay: 0.1 };
const sequences = 3;
const domains = 2;

/** The batch of one step of 20. */
function inputsOf(config: ModelConfig, batch: TensorSpecs, step: number): Record<string, Values> {
  const shape = [sequences, config.context];
  const scalars = adamWInputs(step, 5e-3, training);
  return {
    tokens: ints(shape, step, config.vocab).data,
    targets: ints(shape, step + 100, config.vocab).data,
    weights: new Float32Array(sequences * config.context).fill(1),
    domain: Int32Array.of(0, 1, 0),
    ...(batch.noise ? { noise: gumbelNoise(config, shape[0]! * shape[1]!, 7, step) } : {}),
    ...(batch.progress ? { progress: Float32Array.of((step - 1) / 20) } : {}),
    ...Object.fromEntries(optimizerInputs.map((name) => [name, Float32Array.of(scalars[name])])),
  };
}

test.each<[string, ModelConfig]>([
  ["dense", dense],
  ["mixture-of-experts", mixture],
  ["tied, biased mixture", { ...mixture, tiedEmbeddings: true, attentionBias: true, ffnBias: true }],
  ...Object.entries(routed),
])("20 training steps of a %s model give the losses of the same program run eagerly", async (_, config) => {
  const batch: TensorSpecs = sequenceBatch(config, sequences);
  for (const name of optimizerInputs) batch[name] = { shape: [], dtype: "float32" };
  const program = trainStep(config, training, domains);
  const [fastStore, slowStore] = [storeOf(config, { moments: true }), storeOf(config, { moments: true })];
  const fast = await compile(program, fastStore, batch, { threads: 1 });
  const slow = eager(program, slowStore, batch, "cpu");
  for (let step = 1; step <= 20; step++) {
    const inputs = inputsOf(config, batch, step);
    const [got, want] = [await fast.run(inputs), await slow.run(inputs)];
    expect(Math.abs(got.loss![0]! - want.loss![0]!) / want.loss![0]!).toBeLessThan(1e-4);
    expectClose(got.gradientNorm!, want.gradientNorm!, 1e-3);
    expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
    if (config.moe) {
      expectClose(got.loadBalance!, want.loadBalance!, 1e-4);
      for (const name of ["routedTokens", "droppedTokens"]) expect(got[name]).toEqual(want[name]);
      expectClose(got.gateMass!, want.gateMass!, 1e-3);
    }
  }
  for (const name of slowStore.names()) expectClose(fastStore.get(name).data, slowStore.get(name).data, 2e-3);
});

test.each<[string, ModelConfig]>([
  ["dense", dense],
  ["mixture-of-experts", mixture],
  ["soft", routed.soft!],
])("training steps of a %s model end with the same bits where blocks are computed anew", async (_, config) => {
  const batch: TensorSpecs = sequenceBatch(config, sequences);
  for (const name of optimizerInputs) batch[name] = { shape: [], dtype: "float32" };
  const ends = async (recompute?: true) => {
    const store = storeOf(config, { moments: true });
    const step = trainStep(config, { ...training, ...(recompute ? { recompute } : {}) }, domains);
    const program = await compile(step, store, batch, { threads: 1 });
    for (let step = 1; step <= 3; step++) await program.run(inputsOf(config, batch, step));
    await program.dispose();
    return Object.fromEntries(store.names().map((name) => [name, store.get(name).data]));
  };
  expect(await ends(true)).toEqual(await ends());
});
