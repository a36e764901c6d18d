import { expect, test } from "vitest";
import { compile } from "../../../server/engine/onnx/compile.ts";
import { eager } from "../../../server/engine/tfjs/eager.ts";
import { auxiliaryResult, auxiliaryResults } from "../../../server/model/loss.ts";
import { trainStep } from "../../../server/model/trainStep.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { expectClose } from "../../fixtures/engine.ts";
import { dense, mixture, routed, storeOf } from "../../fixtures/models.ts";
import { domains, training, trainingBatch, trainingInputs } from "../../fixtures/training.ts";

test.each<[string, ModelConfig]>([
  ["dense", dense],
  ["mixture-of-experts", mixture],
  ["tied, biased mixture", { ...mixture, tiedEmbeddings: true, attentionBias: true, ffnBias: true }],
  ...Object.entries(routed),
])("20 training steps of a %s model give the losses of the same program run eagerly", async (_, config) => {
  const batch = trainingBatch(config);
  const program = trainStep(config, training, domains);
  const [fastStore, slowStore] = [storeOf(config, { moments: true }), storeOf(config, { moments: true })];
  const fast = await compile(program, fastStore, batch, { threads: 1 });
  const slow = eager(program, slowStore, batch, { backend: "cpu" });
  for (let step = 1; step <= 20; step++) {
    const inputs = trainingInputs(config, step);
    const [got, want] = [await fast.run(inputs), await slow.run(inputs)];
    expect(Math.abs(got.loss![0]! - want.loss![0]!) / want.loss![0]!).toBeLessThan(1e-4);
    expectClose(got.gradientNorm!, want.gradientNorm!, 1e-3);
    expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
    if (config.moe) {
      for (const [name, value] of auxiliaryResults(want)) expectClose(got[auxiliaryResult(name)]!, value, 1e-4);
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
  const batch = trainingBatch(config);
  const ends = async (recompute?: true) => {
    const store = storeOf(config, { moments: true });
    const step = trainStep(config, { ...training, ...(recompute ? { recompute } : {}) }, domains);
    const program = await compile(step, store, batch, { threads: 1 });
    for (let step = 1; step <= 3; step++) await program.run(trainingInputs(config, step));
    await program.dispose();
    return Object.fromEntries(store.names().map((name) => [name, store.get(name).data]));
  };
  expect(await ends(true)).toEqual(await ends());
});

test("a step that would compute blocks anew takes place op by op, too, with the same loss", async () => {
  const batch = trainingBatch(mixture);
  const lossOf = async (recompute?: true) => {
    const step = trainStep(mixture, { ...training, ...(recompute ? { recompute } : {}) }, domains);
    const program = eager(step, storeOf(mixture, { moments: true }), batch, { backend: "cpu" });
    return [...(await program.run(trainingInputs(mixture, 1))).loss!];
  };
  expect(await lossOf(true)).toEqual(await lossOf());
});
