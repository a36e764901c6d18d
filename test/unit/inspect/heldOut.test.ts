import { rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { without } from "../../../server/inspect/without.ts";
import type { ModelConfig, RouterConfig } from "../../../server/protocol/model.ts";
import { stagePaths } from "../../../server/runs/layout.ts";
import { evaluate } from "../../../server/stages/evaluate.ts";
import { heldOut, slowNll, sum } from "../stages/evaluationSupport.ts";
import { contextOf, randomModel, stageWithModel } from "../stages/support.ts";
import { inspectedRun, mixed, neverThere, watch } from "./run.ts";

const domains = ["letters", "digits"];
const mean = (values: number[]): number => sum(values) / values.length;

describe("held-out losses", () => {
  test("with and without an expert are those of a model that has it and of one that never had it", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const config = model.config();
    const parameters = run.parameters.get("finetune")!;
    for (const layer of [undefined, 1]) {
      const answered = await without(model, { expert: "digits", ...(layer === undefined ? {} : { layer }) }, watch());
      const fewer = neverThere(config, parameters, 1, layer === undefined ? [0, 1] : [layer]);
      for (const [i, domain] of domains.entries()) {
        const ids = await heldOut(run.data, domain);
        const [usual, changed] = [mean(slowNll(config, parameters, ids)), mean(slowNll(config, fewer, ids))];
        expect(answered.domains[i]).toEqual({
          domain,
          with: expect.closeTo(usual, 4),
          without: expect.closeTo(changed, 4),
          tokens: ids.length - 1,
        });
        expect(Math.abs(usual - changed)).toBeGreaterThan(5e-4);
      }
    }
    await model.dispose();
  });

  const routers: RouterConfig[] = [
    { type: "switch", capacity: 0.5, evaluationCapacity: 0.5, loadBalance: 0 },
    { type: "sample-top-1", temperatureRate: 1, minTemperature: 0.5, loadBalance: 0 },
  ];
  test.each(routers)("with a $type router are to the bit those of the evaluation", async (router) => {
    const config: ModelConfig = mixed({ router });
    const models = { finetune: randomModel(config, 5) };
    const run = await inspectedRun({ config, models, evaluate: { tokens: 60 } });
    const model = await run.warm("finetune");
    const answered = await without(model, { expert: "seed" }, watch());
    const stage = await stageWithModel(config, models.finetune);
    const context = contextOf(run.evaluate, { parents: { data: run.data, model: stage } });
    const { losses } = await evaluate(context);
    for (const { domain, with: usual, tokens } of answered.domains)
      expect({ usual, tokens }).toEqual({ usual: losses![domain]!.nats, tokens: losses![domain]!.tokens });
    await model.dispose();
  });

  test("are told about while they are worked out, and from the second expert on by half", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const [first, second] = [watch(), watch()];
    await without(model, { expert: "digits" }, first);
    await without(model, { expert: "seed" }, second);
    const shares = first.told.map(({ done, total }) => done / total);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBeGreaterThan(0.95);
    expect(shares.at(-1)).toBeLessThanOrEqual(1);
    expect(second.told.length).toBe(first.told.length / 2);
    await model.dispose();
  });

  test("are left when they are no longer wanted", async () => {
    const run = await inspectedRun();
    const model = await run.warm("finetune");
    const controller = new AbortController();
    const watched = watch(controller.signal);
    watched.progress = () => controller.abort(new Error("not wanted"));
    await expect(without(model, { expert: "digits" }, watched)).rejects.toThrow("not wanted");
    await model.dispose();
  });

  test("need an expert, and a layer that has it", async () => {
    const run = await inspectedRun({ config: mixed({ layers: [1] }) });
    const model = await run.warm("finetune");
    await expect(without(model, { expert: "code" }, watch())).rejects.toThrow(/has no expert "code"/);
    await expect(without(model, { expert: "seed", layer: 0 }, watch())).rejects.toThrow(/layer 0 .* has no experts/);
    await expect(without(await run.warm("seed"), { expert: "seed" }, watch())).rejects.toThrow(/layers are dense/);
    await model.dispose();
  });
});

test("a model that is gone is refused by its name", async () => {
  const run = await inspectedRun();
  await expect(run.warm("nothing")).rejects.toThrow(/has no model "nothing"/);
  await expect(run.warm("evaluate:finetune")).rejects.toThrow(/has no model/);
  rmSync(stagePaths(run.root, (await run.warm("mix")).found.stage.key).folder, { recursive: true });
  await expect(run.warm("mix")).rejects.toThrow(/the folder .* does not exist/);
});
