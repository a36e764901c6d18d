import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runSummarySchema } from "../../../server/protocol/run.ts";
import type { StageRecord } from "../../../server/protocol/stage.ts";
import { stagePaths } from "../../../server/runs/layout.ts";
import { createRun } from "../../../server/runs/runs.ts";
import { writeStage } from "../../../server/runs/stages.ts";
import { summarizeRun } from "../../../server/runs/summary.ts";
import { temporaryFolder } from "./folder.ts";
import { mixSpec, planned, record } from "./records.ts";

const loss = (nats: number, exactMatch?: number) => ({
  nats,
  bitsPerByte: nats / 2,
  tokens: 10,
  bytes: 40,
  ...(exactMatch === undefined ? {} : { exactMatch, answers: 4 }),
});

const routing = {
  layers: [0, 2],
  experts: ["a", "b", "seed"],
  domains: ["a", "b"],
  routedTokens: [
    [
      [30, 10],
      [20, 5],
      [10, 5],
    ],
    [
      [0, 0],
      [30, 10],
      [30, 10],
    ],
  ],
  gateMass: [
    [
      [1, 1],
      [1, 1],
      [1, 1],
    ],
    [
      [1, 1],
      [1, 1],
      [1, 1],
    ],
  ],
  tokens: [30, 10],
};

describe("summarizeRun", () => {
  it("gathers stages, losses, exact match and routing from the records", async () => {
    const root = temporaryFolder();
    const stages = [
      planned("mix", "a0", mixSpec),
      planned("evaluate:seed", "a1"),
      planned("evaluate:expert:a", "a2"),
      planned("evaluate:finetune", "a3"),
      planned("btm:tf-idf", "a4"),
      planned("evaluate:mix", "a5"),
      planned("finetune", "a6"),
    ];
    const run = await createRun(root, { name: "demo", file: "/f", experiment: "", stages, reused: ["evaluate:seed"] });
    const write = (name: string, fields: Partial<StageRecord>): Promise<void> => {
      const stage = stages.find((one) => one.name === name)!;
      return writeStage(stagePaths(root, stage.key), record(stage, fields));
    };
    await write("mix", {});
    await write("evaluate:seed", {
      seconds: 3,
      result: { tokens: 20, tokensPerSecond: 10, losses: { a: loss(4), b: loss(2) } },
    });
    await write("evaluate:expert:a", { result: { losses: { a: loss(1, 0.5), b: loss(3) } } });
    await write("evaluate:finetune", { result: { losses: { a: loss(1, 1), b: loss(1, 0.5) }, routing } });
    await write("btm:tf-idf", { result: { losses: { a: loss(2), b: loss(2) } } });
    await write("evaluate:mix", { status: "failed", error: "no disk" });
    const summary = runSummarySchema.parse(await summarizeRun(root, run.record.id));
    expect(summary).toMatchObject({
      run: run.record.id,
      name: "demo",
      status: "interrupted",
      folder: run.paths.folder,
    });
    expect(summary.losses).toEqual({
      seed: { a: 4, b: 2, mean: 3 },
      "expert:a": { a: 1, b: 3, mean: 2 },
      btx: { a: 1, b: 1, mean: 1 },
      "btm:tf-idf": { a: 2, b: 2, mean: 2 },
    });
    expect(summary.bitsPerByte.seed).toEqual({ a: 2, b: 1, mean: 1.5 });
    expect(summary.exactMatch).toEqual({ "expert:a": { a: 0.5, mean: 0.5 }, btx: { a: 1, b: 0.5, mean: 0.75 } });
    expect(summary.routing[0]).toEqual([
      [1, 1],
      [20 / 30, 0.5],
      [10 / 30, 0.5],
    ]);
    for (const layer of summary.routing)
      for (const domain of [0, 1]) expect(layer.reduce((sum, expert) => sum + expert[domain]!, 0)).toBeCloseTo(2);
    expect(summary.stages).toEqual([
      { name: "mix", status: "done", seconds: 2, tokens: 0, tokensPerSecond: 0, reused: false },
      { name: "evaluate:seed", status: "done", seconds: 3, tokens: 20, tokensPerSecond: 10, reused: true },
      expect.objectContaining({ name: "evaluate:expert:a", status: "done" }),
      expect.objectContaining({ name: "evaluate:finetune", status: "done" }),
      expect.objectContaining({ name: "btm:tf-idf", status: "done" }),
      expect.objectContaining({ name: "evaluate:mix", status: "failed" }),
      { name: "finetune", status: "waiting", seconds: 0, tokens: 0, tokensPerSecond: 0, reused: false },
    ]);
  });

  it("takes an unfinished stage's progress from its last metric", async () => {
    const root = temporaryFolder();
    const stage = planned("finetune", "b1", mixSpec);
    const run = await createRun(root, { name: "demo", file: "/f", experiment: "", stages: [stage], reused: [] });
    const paths = stagePaths(root, stage.key);
    await writeStage(paths, record(stage, { status: "stopped", seconds: 1 }));
    const metric = {
      step: 3,
      steps: 9,
      tokens: 300,
      seconds: 7,
      loss: 1,
      gradientNorm: 1,
      learningRate: 1,
      tokensPerSecond: 50,
    };
    writeFileSync(paths.metrics, `${JSON.stringify(metric)}\n{"step"`);
    expect((await summarizeRun(root, run.record.id)).stages).toEqual([
      { name: "finetune", status: "stopped", seconds: 7, tokens: 300, tokensPerSecond: 50, reused: false },
    ]);
  });

  it("says that there is no such run", async () => {
    await expect(summarizeRun(temporaryFolder(), "20260101-000000")).rejects.toThrow(/there is no run 20260101-000000/);
  });
});
