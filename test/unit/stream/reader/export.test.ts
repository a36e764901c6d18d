import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../../../server/protocol/frame.ts";
import { exportPart, planExport, rowsOf, rowsOfPart } from "../../../../server/stream/reader/export.ts";
import { MetricsFile } from "../../../../server/stream/reader/metricsFile.ts";
import type { ExportPlace } from "../../../../server/stream/reader/requests.ts";
import { temporaryFolder } from "../../runs/folder.ts";

const line = (step: number, loss: number) => `{"step":${step},"loss":${loss}}\n`;
const linesOf = (from: number, to: number, loss: (step: number) => number) =>
  Array.from({ length: to - from + 1 }, (_, index) => line(from + index, loss(from + index))).join("");

/** A file of so many steps whose loss is a tenth of the step, read to its end. */
async function metrics(steps: number) {
  const folder = temporaryFolder();
  const path = join(folder, "metrics.jsonl");
  writeFileSync(
    path,
    linesOf(1, steps, (step) => step / 10),
  );
  const file = new MetricsFile(path);
  await file.read(Number.POSITIVE_INFINITY);
  const begins = { step: 0, tokens: 0, seconds: 0, flops: 0 };
  return { path, cache: join(folder, "metrics.cache"), file, source: { root: "/r", key: "k", path, begins } };
}

const names = [{ run: "run", stage: "seed" }];
type Opened = Awaited<ReturnType<typeof metrics>>;

/** All parts, joined; `between` is called after each. */
async function exported(opened: Opened, range?: [number, number], between: () => Promise<void> = async () => {}) {
  const files = [{ source: opened.source, file: opened.file }];
  const plan = await planExport(files, { axis: "step", ...(range ? { range } : {}) });
  const parts: string[] = [];
  for (let at: ExportPlace | undefined = { file: 0, row: 0 }; at; ) {
    const part = await exportPart(files, { id: 1, names, plan, at });
    if (!part.frame) return { plan, parts, replaced: true };
    const frame = decodeFrame(part.frame);
    parts.push(frame.kind === "text" ? new TextDecoder().decode(frame.bytes) : "");
    at = part.next;
    await between();
  }
  return { plan, parts, replaced: false };
}

const head = "run,stage,step,loss_nats_per_token\r\n";
const rows = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `run,seed,${from + index},${(from + index) / 10}\r\n`).join("");

describe("an export", () => {
  it("is made of parts of so many rows, the first with the head", async () => {
    const steps = 2 * rowsOfPart + 5;
    const { plan, parts } = await exported(await metrics(steps));
    expect(rowsOf(plan)).toBe(steps);
    expect(parts.map((part) => part.split("\r\n").length - 1)).toEqual([rowsOfPart + 1, rowsOfPart, 5]);
    expect(parts.join("")).toBe(head + rows(1, steps));
  });

  it("of a range, or of nothing, has its rows only", async () => {
    const opened = await metrics(100);
    expect((await exported(opened, [10.5, 20])).parts.join("")).toBe(head + rows(11, 20));
    expect((await exported(opened, [200, 300])).parts.join("")).toBe(head);
  });

  it("has the rows there were when it began, though more are written in between", async () => {
    const opened = await metrics(rowsOfPart + 5);
    const { parts } = await exported(opened, undefined, async () => {
      appendFileSync(opened.path, line(rowsOfPart + 6, 1));
      await opened.file.read(Number.POSITIVE_INFINITY);
    });
    expect(parts.join("")).toBe(head + rows(1, rowsOfPart + 5));
  });

  it("ends early when rows are replaced in between, as by a stage that is resumed", async () => {
    const opened = await metrics(rowsOfPart + 5);
    const { parts, replaced } = await exported(opened, undefined, async () => {
      appendFileSync(opened.path, line(7, 1));
      await opened.file.read(Number.POSITIVE_INFINITY);
    });
    expect([parts.length, replaced]).toEqual([1, true]);
  });

  it("reads what is kept in the cache from there, and the lines again where the cache is gone", async () => {
    const steps = 200_000 + rowsOfPart;
    const opened = await metrics(200_000);
    await opened.file.save();
    appendFileSync(
      opened.path,
      linesOf(200_001, steps, (step) => step / 10),
    );
    await opened.file.read(Number.POSITIVE_INFINITY);
    const range: [number, number] = [199_000, steps];
    expect((await exported(opened, range)).parts.join("")).toBe(head + rows(199_000, steps));
    rmSync(opened.cache);
    expect((await exported(opened, range)).replaced).toBe(true);
    expect((await exported(opened, range)).parts.join("")).toBe(head + rows(199_000, steps));
  });
});
