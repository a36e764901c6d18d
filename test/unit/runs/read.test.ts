import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { digestOf } from "../../../server/disk/digest.ts";
import { stagePathsIn } from "../../../server/runs/layout.ts";
import {
  readJson,
  readLastMetric,
  readLines,
  readMetrics,
  readRecords,
  readRouting,
} from "../../../server/runs/read.ts";
import { temporaryFolder } from "./folder.ts";

const metric = (step: number) => ({
  step,
  steps: 10,
  tokens: step * 8,
  seconds: step / 2,
  loss: 3,
  gradientNorm: 1,
  learningRate: 0.1,
  tokensPerSecond: 16,
});

describe("reading", () => {
  it("takes files that do not exist for empty or absent", async () => {
    const paths = stagePathsIn(join(temporaryFolder(), "absent"));
    expect(await readMetrics(paths, {})).toEqual([]);
    expect(await readLastMetric(paths)).toBeUndefined();
    expect(await readRouting(paths)).toBeUndefined();
    expect((await readRecords(paths.routing, 4)).count).toBe(0);
    expect(await readJson(paths.record, z.unknown())).toBeUndefined();
  });

  it("names the file and line of a broken line in the middle", async () => {
    const path = join(temporaryFolder(), "a.jsonl");
    const schema = z.object({ step: z.int() });
    writeFileSync(path, '{"step":1}\n{"st\n{"step":3}\n');
    await expect(readLines(path, schema)).rejects.toThrow(`line 2 of ${path} is not valid JSON`);
    writeFileSync(path, '{"step":1}\n{"step":"x"}\n');
    await expect(readLines(path, schema)).rejects.toThrow(`line 2 of ${path} has no valid \`step\``);
  });

  it("notices metrics that are not those that the stage's record has a digest of", async () => {
    const paths = stagePathsIn(temporaryFolder());
    const good = [1, 2].map((step) => `${JSON.stringify(metric(step))}\n`).join("");
    const files = { "metrics.jsonl": { bytes: good.length, digest: digestOf(Buffer.from(good)) } };
    writeFileSync(paths.metrics, good);
    expect(await readMetrics(paths, { files })).toHaveLength(2);
    const damaged = [good.replace('"loss":3', '"loss":2'), good.slice(0, -1), "\0".repeat(good.length), ""];
    for (const text of damaged) {
      writeFileSync(paths.metrics, text);
      await expect(readMetrics(paths, { files })).rejects.toThrow(`${paths.metrics} is damaged`);
    }
    rmSync(paths.metrics);
    await expect(readMetrics(paths, { files })).rejects.toThrow(`${paths.metrics} is damaged`);
    expect(await readMetrics(paths, {})).toEqual([]);
  });

  it("finds the last whole line however long the lines are", async () => {
    const paths = stagePathsIn(temporaryFolder());
    for (const filler of [0, 100, 5000, 40_000]) {
      const line = (step: number): string => `${JSON.stringify({ ...metric(step), filler: "x".repeat(filler) })}\n`;
      writeFileSync(paths.metrics, `${line(1)}${line(2)}{"step":3`);
      expect(await readLastMetric(paths)).toMatchObject({ step: 2, tokens: 16 });
      writeFileSync(paths.metrics, line(1));
      expect(await readLastMetric(paths)).toMatchObject({ step: 1 });
    }
    writeFileSync(paths.metrics, '{"step":3');
    expect(await readLastMetric(paths)).toBeUndefined();
    writeFileSync(paths.metrics, "");
    expect(await readLastMetric(paths)).toBeUndefined();
  });

  it("reads metrics with columns that it does not know, numbers as losses by name", async () => {
    const paths = stagePathsIn(temporaryFolder());
    const line = { ...metric(1), distil: 0.25, comment: "of a later version" };
    writeFileSync(paths.metrics, `${JSON.stringify(line)}\n`);
    const read = await readLastMetric(paths);
    expect(read).toMatchObject({ step: 1, distil: 0.25 });
    expect(read?.comment).toBeUndefined();
  });

  it("reads routing with the axes of its index", async () => {
    const paths = stagePathsIn(temporaryFolder());
    const index = { version: 1, statistics: ["routed"], layers: [0, 1], domains: ["a"], experts: ["x", "y"], every: 5 };
    writeFileSync(paths.routingIndex, JSON.stringify(index));
    writeFileSync(paths.routing, Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9).buffer));
    const routing = await readRouting(paths);
    expect(routing).toEqual({ index, count: 2, values: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) });
    writeFileSync(paths.routingIndex, JSON.stringify({ ...index, experts: [1] }));
    await expect(readRouting(paths)).rejects.toThrow(`${paths.routingIndex} has no valid \`experts.0\``);
  });
});
