import { describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import { devices, expectClose } from "../../../fixtures/engine.ts";
import { fiveSteps } from "../../../fixtures/fiveSteps.ts";
import { dense, mixture, routed } from "../../../fixtures/models.ts";

const models: [string, ModelConfig][] = [["dense", dense], ["top-2", mixture], ...Object.entries(routed)];

// BTX_TEST_GPU=cuda asks for it; the environment is that of `engineEnvironment`.
describe.skipIf(!devices.includes("cuda"))("on CUDA", { timeout: 300_000 }, () => {
  test.each(models)("5 training steps of a %s model give what they give on the CPU", async (_, config) => {
    const { steps, there, here } = await fiveSteps("cuda", config);
    for (const [got, want] of steps) {
      expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
      for (const [name, values] of Object.entries(want)) expectClose(got[name]!, values, 1e-3);
    }
    for (const name of here.names()) expectClose(there.get(name).data, here.get(name).data, 1e-3);
  });
});
