import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeSafetensors } from "../../../server/checkpoint/writeSafetensors.ts";
import { StageReader } from "../../../server/editor/stageReader.ts";
import { stagePaths } from "../../../server/runs/layout.ts";
import { acquireLock } from "../../../server/runs/lock.ts";
import { progressPath } from "../../../server/stages/process.ts";
import { emptyFolder, keys, metric, writeRun, writeStage } from "./folder.ts";

/** The stages of a run by name, as a new reader sees them. */
async function read(root: string, run: string, reader = new StageReader()) {
  return new Map((await reader.read(root, run)).map((stage) => [stage.name, stage]));
}

describe("the stages of a run", () => {
  it("come in the order of the plan; one without a folder is waiting, with the work it has before it", async () => {
    const root = emptyFolder();
    const run = writeRun(root);
    const stages = await read(root, run.id);
    expect([...stages.keys()]).toEqual(run.stages.map(({ name }) => name));
    expect(stages.get("seed")).toMatchObject({ state: "waiting", kind: "seed", reused: false, checkpoints: [] });
    expect(stages.get("seed")!.work).toBeGreaterThan(0);
    expect(stages.get("mix")!.work).toBe(0);
  });

  it("say of a done one what it came to, and whether an earlier run had done it", async () => {
    const root = emptyFolder();
    const { id } = writeRun(root, { created: "2026-03-05T00:00:00.000Z" });
    writeStage(root, "seed", { result: { trainingLoss: 2.5, tokens: 1024, steps: 4, tokensPerSecond: 99, flops: 7 } });
    const { result } = { result: { losses: { code: { nats: 2, bitsPerByte: 1, tokens: 10, bytes: 20 } } } };
    writeStage(root, "evaluate:seed", { result });
    const stages = await read(root, id);
    expect(stages.get("seed")).toMatchObject({ state: "done", reused: true, loss: 2.5, tokensPerSecond: 99, done: 4 });
    expect(stages.get("evaluate:seed")).toMatchObject({ reused: false, heldOut: { code: 2 } });
    // Done after the run began: it was done again.
    const later = writeRun(root, { id: "20260101-000000", created: "2026-03-01T00:00:00.000Z" });
    expect((await read(root, later.id)).get("seed")!.reused).toBe(false);
  });

  it("follow one at work: step, loss, speed and time left, and whose process it is", async () => {
    const root = emptyFolder();
    const { id } = writeRun(root, { status: "running" });
    const paths = writeStage(root, "seed", { status: "running", result: undefined });
    writeFileSync(paths.metrics, metric(10));
    const reader = new StageReader();
    expect((await read(root, id, reader)).get("seed")!.state).toBe("interrupted");
    const lock = acquireLock(paths.folder, "stage");
    try {
      const seed = (await read(root, id, reader)).get("seed");
      expect(seed).toMatchObject({ state: "running", done: 10, total: 100, loss: 3, tokensPerSecond: 2048 });
      // 90 steps more, at half a second each.
      expect(seed).toMatchObject({ secondsLeft: 45, pid: process.pid });
      expect(seed!.host).toBeUndefined();
      appendFileSync(paths.metrics, metric(20, { loss: 2 }));
      expect((await read(root, id, reader)).get("seed")).toMatchObject({ done: 20, loss: 2, secondsLeft: 40 });
    } finally {
      lock.release();
    }
  });

  it("follow work without steps", async () => {
    const root = emptyFolder();
    const { id } = writeRun(root);
    const paths = writeStage(root, "data", { status: "stopped", result: undefined });
    writeFileSync(progressPath(paths.folder), JSON.stringify({ done: 2, total: 8, label: "reading code" }));
    expect((await read(root, id)).get("data")).toMatchObject({ done: 2, total: 8, label: "reading code" });
  });

  it("have checkpoints: the model, and the step from which unfinished training goes on", async () => {
    const root = emptyFolder();
    const { id } = writeRun(root);
    const seed = stagePaths(root, keys.get("seed")!);
    writeStage(root, "seed", { status: "stopped", result: undefined });
    await writeSafetensors(seed.state, [], { progress: JSON.stringify({ step: 12, seconds: 1, routing: [] }) });
    writeStage(root, "mix");
    const mix = stagePaths(root, keys.get("mix")!);
    mkdirSync(mix.checkpoint);
    writeFileSync(join(mix.checkpoint, "model.safetensors"), "1234567");
    const stages = await read(root, id);
    expect(stages.get("seed")!.checkpoints).toMatchObject([{ holds: "training state", path: seed.state, step: 12 }]);
    expect(stages.get("mix")!.checkpoints).toMatchObject([{ holds: "model", path: mix.checkpoint, bytes: 7 }]);
  });

  it("name the experts of mixtures, of the finetuned and the upcycled one too", async () => {
    const root = emptyFolder();
    const { id } = writeRun(root);
    const stages = await read(root, id);
    const experts = ["code", "prose", "math", "seed"];
    expect(stages.get("mix")!.experts).toEqual(experts);
    expect(stages.get("finetune")!.experts).toEqual(experts);
    expect(stages.get("expert:code")!.experts).toEqual([]);
    expect(stages.get("dense")!.experts).toEqual([]);
  });

  it("that cannot be read say why, and the others are there", async () => {
    const root = emptyFolder();
    const { id } = writeRun(root);
    const paths = writeStage(root, "seed");
    writeFileSync(paths.record, "{}");
    writeStage(root, "mix");
    const stages = await read(root, id);
    expect(stages.get("seed")).toMatchObject({ state: "failed", error: expect.stringContaining("stage.json") });
    expect(stages.get("mix")!.state).toBe("done");
  });
});
