import { appendFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { growth } from "../../../../server/stream/reader/growingValues.ts";
import { MetricsFile } from "../../../../server/stream/reader/metricsFile.ts";
import { temporaryFolder } from "../../runs/folder.ts";

const line = (step: number, more: object = {}) => `${JSON.stringify({ step, loss: 10 / step, ...more })}\n`;
const lines = (from: number, to: number, more: object = {}) =>
  Array.from({ length: to - from + 1 }, (_, index) => line(from + index, more)).join("");
const ever = Number.POSITIVE_INFINITY;
const stepsOf = async (file: MetricsFile) => [...((await file.values("step")) ?? [])];
const count = (to: number) => Array.from({ length: to }, (_, index) => index + 1);

function metricsIn(folder = temporaryFolder()): { path: string; cache: string; file: MetricsFile } {
  const path = join(folder, "metrics.jsonl");
  return { path, cache: join(folder, "metrics.cache"), file: new MetricsFile(path) };
}

describe("a file of metrics", () => {
  it("that is not there yet is empty, and is read when it comes", async () => {
    const { path, file } = metricsIn();
    expect(await file.read(ever)).toBe(true);
    expect(file.rows).toBe(0);
    expect(await file.values("loss")).toBeUndefined();
    writeFileSync(path, lines(1, 3));
    await file.read(ever);
    expect(await stepsOf(file)).toEqual([1, 2, 3]);
  });

  it("is followed as it grows, without its torn last line", async () => {
    const { path, file } = metricsIn();
    const text = lines(1, 4);
    writeFileSync(path, text.slice(0, -5));
    await file.read(ever);
    expect(await stepsOf(file)).toEqual([1, 2, 3]);
    const before = file.revision;
    await file.read(ever);
    expect(file.revision).toBe(before);
    appendFileSync(path, `${text.slice(-5)}${line(5, { memory: 7 })}`);
    await file.read(ever);
    expect(await stepsOf(file)).toEqual([1, 2, 3, 4, 5]);
    expect([...(await file.values("memory"))!]).toEqual([Number.NaN, Number.NaN, Number.NaN, Number.NaN, 7]);
    expect(file.revision).not.toBe(before);
  });

  it("that is written again from an earlier step on, as by a resumed stage, has each step once", async () => {
    const { path, file } = metricsIn();
    writeFileSync(path, lines(1, 2000));
    await file.read(ever);
    const low = async () => {
      const { values, extremes } = (await file.series("loss"))!;
      return values[extremes.find(values, 0, values.length).low];
    };
    expect(await low()).toBe(10 / 2000);
    // Grown past where it was before it is looked at again.
    truncateSync(path, Buffer.byteLength(lines(1, 1000)));
    appendFileSync(path, lines(1001, 3000, { loss: 5 }));
    await file.read(ever);
    expect(await stepsOf(file)).toEqual(count(3000));
    // Cut back, and not grown again yet.
    truncateSync(path, Buffer.byteLength(lines(1, 500)));
    await file.read(ever);
    expect(await stepsOf(file)).toEqual(count(500));
    expect(await low()).toBe(10 / 500);
  });

  it("in which a step is repeated drops what it knew of that step and of later ones", async () => {
    const { path, file } = metricsIn();
    writeFileSync(path, `${lines(1, 300)}${lines(200, 210, { loss: 9 })}`);
    await file.read(ever);
    const { values, extremes, means } = (await file.series("loss"))!;
    expect(await stepsOf(file)).toEqual(count(210));
    expect(values[199]).toBe(9);
    expect(extremes.find(values, 150, 210)).toEqual({ low: 198, high: 199 });
    expect(means.mean(199, 210)).toBeCloseTo(9, 12);
  });

  it("gives columns that it did not keep as they are after steps were repeated, in memory, in parts and in the cache", async () => {
    const { path, cache, file } = metricsIn();
    // The second stretch ends after the first one, the third before the second one.
    const stretches = [
      { from: 1, to: 220_000, seconds: 1 },
      { from: 150_000, to: 260_000, seconds: 2 },
      { from: 230_000, to: 231_000, seconds: 3 },
    ];
    writeFileSync(path, stretches.map(({ from, to, seconds }) => lines(from, to, { seconds })).join(""));
    const expected = count(231_000).map((step) => stretches.findLast(({ from }) => step >= from)!.seconds);
    await file.read(ever);
    expect(file.rows).toBe(231_000);
    expect([...(await file.range("seconds", 149_000, 151_000))!]).toEqual(expected.slice(149_000, 151_000));
    expect([...(await file.range("seconds", 229_990, 231_000))!]).toEqual(expected.slice(229_990));
    await file.save();
    expect(existsSync(cache)).toBe(true);
    const again = new MetricsFile(path);
    await again.read(ever);
    for (const one of [file, again]) expect([...(await one.values("seconds"))!]).toEqual(expected);
  });

  it("takes as much memory for a step as the columns that are asked for, however many are recorded", async () => {
    const { path, file } = metricsIn();
    const more = { tokens: 1, seconds: 2, gradientNorm: 3, learningRate: 4, tokensPerSecond: 5, memory: 6 };
    const rows = 300_000;
    writeFileSync(path, lines(1, rows, more));
    file.want(["step", "loss"]);
    await file.read(ever);
    // A column of float64, and room to grow.
    const column = 8 * growth * rows;
    expect(file.bytesHeld).toBeLessThanOrEqual(2 * column);
    await file.series("loss");
    // Two int32 for 16 values, for 256 and so on, and two float64 for 64 values.
    const indexes = growth * rows * ((2 * 4) / 15 + (2 * 8) / 64);
    expect(file.bytesHeld).toBeLessThanOrEqual(2 * column + 1.1 * indexes);
    const held = file.bytesHeld;
    for (const name of file.recorded) expect(await file.range(name, 100, 200)).toHaveLength(100);
    await file.save();
    expect(file.bytesHeld).toBe(held);
    await file.values("memory");
    expect(file.bytesHeld).toBeLessThanOrEqual(3 * column + 1.1 * indexes);
  });

  it("that was replaced by another is read anew", async () => {
    const { path, file } = metricsIn();
    writeFileSync(path, lines(1, 50));
    await file.read(ever);
    rmSync(path);
    await file.read(ever);
    expect(file.rows).toBe(0);
    writeFileSync(path, lines(1, 20));
    await file.read(ever);
    expect(await stepsOf(file)).toEqual(count(20));
  });

  it("is read in slices, so that nothing waits for a long one", async () => {
    const { path, file } = metricsIn();
    writeFileSync(path, lines(1, 150_000, { text: "x".repeat(40) }));
    expect(await file.read(0)).toBe(false);
    expect(file.rows).toBeGreaterThan(0);
    expect(file.rows).toBeLessThan(150_000);
    expect(file.progress.done).toBeLessThan(file.progress.bytes);
    while (!(await file.read(0)));
    expect(file.rows).toBe(150_000);
  });
});

describe("the cache of a long file", () => {
  const long = lines(1, 250_000, { seconds: 0.5 });
  async function cached() {
    const metrics = metricsIn();
    writeFileSync(metrics.path, long);
    await metrics.file.read(ever);
    await metrics.file.save();
    expect(existsSync(metrics.cache)).toBe(true);
    return metrics;
  }
  const same = async (file: MetricsFile, rows: number) => {
    expect(file.rows).toBe(rows);
    const [steps, losses] = [(await file.values("step"))!, (await file.values("loss"))!];
    expect(steps.every((step, index) => step === index + 1)).toBe(true);
    expect(losses.every((loss, index) => loss === 10 / (index + 1))).toBe(true);
  };

  it("is read in place of the lines, and the lines after it are added", async () => {
    const { path, file } = await cached();
    await same(file, 250_000);
    appendFileSync(path, lines(250_001, 250_010, { seconds: 0.5 }));
    await file.read(ever);
    await same(file, 250_010);
    const again = new MetricsFile(path);
    // What was cached need not be parsed: one slice is enough.
    expect(await again.read(0)).toBe(true);
    await same(again, 250_010);
    expect((await again.values("seconds"))!.every((value) => value === 0.5)).toBe(true);
  });

  it("is not used for other lines, nor when it is damaged, and need not be there", async () => {
    const { path, cache } = await cached();
    writeFileSync(path, long.replace('"step":1,"loss":10,', '"step":1,"loss":11,'));
    const changed = new MetricsFile(path);
    await changed.read(ever);
    expect((await changed.values("loss"))![0]).toBe(11);
    writeFileSync(path, long);
    writeFileSync(cache, readFileSync(cache).subarray(0, 5000));
    const damaged = new MetricsFile(path);
    await damaged.read(ever);
    await same(damaged, 250_000);
    rmSync(cache);
    await same(damaged, 250_000);
  });

  it("is not used where a value in it was changed, wherever that is", async () => {
    const { cache } = await cached();
    const good = readFileSync(cache);
    // In several columns: the first of them is `step`, which is read at once.
    for (const share of [0.001, 0.3, 0.5, 0.7, 0.999]) {
      const { path, cache: damaged } = await cached();
      const bytes = Buffer.from(good);
      bytes[4096 + Math.floor(share * (bytes.length - 4096))]! ^= 1;
      writeFileSync(damaged, bytes);
      const file = new MetricsFile(path);
      await file.read(ever);
      await same(file, 250_000);
      expect((await file.values("seconds"))!.every((value) => value === 0.5)).toBe(true);
    }
  });

  it("that goes while it is used is done without", async () => {
    const { path, cache } = await cached();
    const file = new MetricsFile(path);
    await file.read(ever);
    rmSync(cache);
    await same(file, 250_000);
  });

  it("keeps only what was asked for in memory, and gives the rest when it is asked for", async () => {
    const { path, file } = await cached();
    appendFileSync(path, lines(250_001, 250_003, { seconds: 0.75 }));
    await file.read(ever);
    const seconds = (await file.values("seconds"))!;
    expect(seconds).toHaveLength(250_003);
    expect([...seconds.subarray(-4)]).toEqual([0.5, 0.75, 0.75, 0.75]);
  });
});
