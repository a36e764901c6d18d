import { describe, expect, it } from "vitest";
import { Speeds, speedOf } from "../../../../server/language/facts/speed.ts";
import type { Compute } from "../../../../server/protocol/devices.ts";
import type { StageRecord } from "../../../../server/protocol/stage.ts";
import { runRoot, stagePaths } from "../../../../server/runs/layout.ts";
import { writeStage } from "../../../../server/runs/stages.ts";
import { planned, record } from "../../runs/records.ts";
import { folderWith } from "../support.ts";

const stage = (fields: Partial<StageRecord>): StageRecord =>
  record(planned("seed", "1"), { kind: "seed", threads: 2, seconds: 10, result: { flops: 2e10 }, ...fields });
const auto: Compute = { engine: "auto" };
const model = (flops: number) => ({ name: "m", steps: 1, tokens: 1, flops, memory: 0 });

describe("the speed of earlier runs", () => {
  it("is operations over seconds, by threads", () => {
    // 1 GFLOP/s a thread, so 4 GFLOP/s with four.
    expect(speedOf([stage({})], auto, 4).seconds("seed", [model(8e9)])).toBeCloseTo(2);
  });

  it("is that of stages of the same kind where there are such", () => {
    const records = [stage({}), stage({ kind: "finetune", seconds: 40 })];
    expect(speedOf(records, auto, 2).seconds("seed", [model(2e10)])).toBeCloseTo(10);
    expect(speedOf(records, auto, 2).seconds("finetune", [model(2e10)])).toBeCloseTo(40);
  });

  it("is shared by experts that are trained at once", () => {
    // Four cores, three experts of one thread each: the longest counts.
    expect(speedOf([stage({})], auto, 4).seconds("expert", [model(1e9), model(1e9), model(5e9)])).toBeCloseTo(5);
    // Two cores, four experts: they share.
    expect(speedOf([stage({})], auto, 2).seconds("expert", Array(4).fill(model(1e9)))).toBeCloseTo(2);
  });

  it("is the median of the newest five, on the engine and device of the newest", () => {
    const times = [1, 10, 10, 10, 100, 5, 5, 5];
    const records = times.map((seconds, i) => stage({ seconds, finished: `2026-01-0${9 - i}T00:00:00.000Z` }));
    expect(speedOf(records, auto, 2).seconds("seed", [model(2e10)])).toBeCloseTo(10);
    const gpu = stage({ device: "gpu", seconds: 0.1, finished: "2025-01-01T00:00:00.000Z" });
    expect(speedOf([...records, gpu], auto, 2).seconds("seed", [model(2e10)])).toBeCloseTo(10);
  });

  it("is that on the engine and devices that the file asks for", () => {
    const records = [
      stage({ engine: "onnx", device: "cpu", seconds: 10, finished: "2026-01-01" }),
      stage({ engine: "onnx", device: "cuda:1", seconds: 1, finished: "2026-01-02" }),
    ];
    const seconds = (compute: Parameters<typeof speedOf>[1]) =>
      speedOf(records, compute, 2).seconds("seed", [model(2e10)]);
    expect(seconds({ engine: "auto" })).toBeCloseTo(1);
    expect(seconds({ engine: "auto", devices: ["cpu"] })).toBeCloseTo(10);
    expect(seconds({ engine: "onnx", devices: ["cuda"] })).toBeCloseTo(1);
    expect(seconds({ engine: "auto", devices: ["webgpu"] })).toBeUndefined();
    expect(seconds({ engine: "tfjs" })).toBeUndefined();
  });

  it("is not known before a stage has trained to its end", () => {
    for (const fields of [{ status: "stopped" }, { result: {} }, { seconds: 0 }] as Partial<StageRecord>[])
      expect(speedOf([stage(fields)], auto, 2).seconds("seed", [model(1)])).toBeUndefined();
    expect(speedOf([], auto, 2).seconds("seed", [model(1)])).toBeUndefined();
  });

  it("is read from the run folder beside the file, passing over what cannot be read", async () => {
    const folder = folderWith({ ".btx/stages/broken/stage.json": "{" });
    const file = `${folder}/a.btx.yaml`;
    expect((await new Speeds().of(file, auto)).seconds("seed", [model(1)])).toBeUndefined();
    const done = stage({ threads: 1 });
    await writeStage(stagePaths(runRoot(file), done.key), done);
    expect((await new Speeds().of(file, auto)).seconds("seed", [model(1e9)])).toBeGreaterThan(0);
    const speeds = new Speeds();
    const seconds = async () => (await speeds.of(file, auto)).seconds("seed", [model(1e9)]);
    const before = await seconds();
    await writeStage(stagePaths(runRoot(file), done.key), { ...done, seconds: done.seconds * 2 });
    // A folder is not read again at once, unless it is known that there is something new in it.
    expect(await seconds()).toBe(before);
    speeds.forget();
    expect(await seconds()).toBeCloseTo(before! * 2);
    expect((await new Speeds().of("/nowhere/a.btx.yaml", auto)).seconds("seed", [model(1e9)])).toBeUndefined();
  });
});
