import { describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { devices, expectClose } from "../../fixtures/engine.ts";
import { fiveSteps } from "../../fixtures/fiveSteps.ts";
import { dense, mixture, routed } from "../../fixtures/models.ts";

const models: [string, ModelConfig][] = [["dense", dense], ["top-2", mixture], ...Object.entries(routed)];
const onDemand = ["cuda", "tfjs-node", "tfjs-node-gpu"] as const;

// BTX_TEST_DEVICES asks for them; the environment is that of `deviceEnvironment`.
for (const device of onDemand)
  describe.skipIf(!devices.includes(device))(`on ${device}`, { timeout: 300_000 }, () => {
    test.each(models)("5 training steps of a %s model give what they give on the CPU", async (_, config) => {
      const { steps, there, here } = await fiveSteps(device, config);
      for (const [got, want] of steps) {
        expect(Object.keys(got).sort()).toEqual(Object.keys(want).sort());
        for (const [name, values] of Object.entries(want)) expectClose(got[name]!, values, 1e-3);
      }
      for (const name of here.names()) expectClose((await there.read(name)).data, here.get(name).data, 1e-3);
    });
  });
