import { expect, test } from "vitest";
import { saveCheckpoint } from "../../../server/checkpoint/saveCheckpoint.ts";
import { cpuEngine } from "../../../server/engine/onnx/engine.ts";
import { openCheckpointFolder } from "../../../server/evaluation/openCheckpoint.ts";
import { WarmModels } from "../../../server/inspect/warmModels.ts";
import { checkpointOf } from "../../../server/runs/findModel.ts";
import { randomModel, tokenizerFolder } from "../stages/support.ts";
import { inspectedRun } from "./run.ts";

test("a model is read once, and kept until two others were asked for", async () => {
  const run = await inspectedRun();
  const models = new WarmModels(cpuEngine(1));
  const get = (stage: string) => models.get(run.reference(stage));
  const [seed, mix] = [await get("seed"), await get("mix")];
  expect([await get("seed"), await get("mix")]).toEqual([seed, mix]);
  expect(await get("seed")).toBe(seed);
  await get("finetune");
  expect(await get("seed")).toBe(seed);
  expect(await get("mix")).not.toBe(mix);
});

test("a model whose checkpoint is another one is read again", async () => {
  const run = await inspectedRun();
  const models = new WarmModels(cpuEngine(1));
  const before = await models.get(run.reference("finetune"));
  const { config } = before.opened;
  const tensors = randomModel(config, 99) as Map<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>;
  const folder = checkpointOf(before.found, before.found.stage);
  await saveCheckpoint(folder, { config, tensors, endOfText: 256, tokenizerFolder: tokenizerFolder() });
  const after = await models.get(run.reference("finetune"));
  expect(after).not.toBe(before);
  expect(after.opened.parameters).toEqual((await openCheckpointFolder(folder)).parameters);
});
