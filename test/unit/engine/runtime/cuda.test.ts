import { describe, expect, test } from "vitest";
import { compile } from "../../../../server/engine/runtime/compile.ts";
import { trainStep } from "../../../../server/model/trainStep.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import { compileOn, devices, expectClose } from "../../../fixtures/engine.ts";
import { dense, mixture, routed, storeOf } from "../../../fixtures/models.ts";
import { domains, training, trainingBatch, trainingInputs } from "../../../fixtures/training.ts";

const models: [string, ModelConfig][] = [["dense", dense], ["top-2", mixture], ...Object.entries(routed)];

// BTX_TEST_GPU=cuda asks for it; the environment is that of `engineEnvironment`.
describe.skipIf(!devices.includes("cuda"))("on CUDA", { timeout: 300_000 }, () => {
  test.each(models)("5 training steps of a %s model give what they give on the CPU", async (_, config) => {
    const batch = trainingBatch(config);
    const [joined, program] = [true, false].map((fewCalls) => trainStep(config, { ...training, fewCalls }, domains));
    const [there, here] = [storeOf(config, { moments: true }), storeOf(config, { moments: true })];
    const gpu = await compileOn("cuda", joined!, there, batch);
    const cpu = await compile(program!, here, batch, { threads: 1 });
    for (let step = 1; step <= 5; step++) {
      const inputs = trainingInputs(config, step);
      const [got, want] = [await gpu.run(inputs), await cpu.run(inputs)];
      expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
      for (const [name, values] of Object.entries(want)) expectClose(got[name]!, values, 1e-3);
    }
    for (const name of here.names()) expectClose(there.get(name).data, here.get(name).data, 1e-3);
    for (const made of [gpu, cpu]) await made.dispose();
  });
});
