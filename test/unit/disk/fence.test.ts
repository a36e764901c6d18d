import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import * as z from "zod";
import { saveCheckpoint } from "../../../server/checkpoint/saveCheckpoint.ts";
import { writeWhole } from "../../../server/data/write.ts";
import { appendText, openLines, openRecords } from "../../../server/disk/append.ts";
import { remove, removeLeftovers, replaceFile, writeFileAtomic, writeJson } from "../../../server/disk/atomic.ts";
import { raiseFence, TakenOver } from "../../../server/disk/fence.ts";
import { progressFile } from "../../../server/stages/process.ts";
import { temporaryFolder } from "../runs/folder.ts";

let folder: string;
let lost = false;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "Date"] });
  folder = temporaryFolder();
  lost = false;
  const fence = raiseFence(folder, () => {
    if (lost) throw new TakenOver("stage a was taken over");
  });
  onTestFinished(() => fence.remove());
});
afterEach(() => void vi.useRealTimers());

/** The lock is lost while this process is stopped for `ms`. */
function lose(ms = 60_000): void {
  lost = true;
  vi.advanceTimersByTime(ms);
}

const item = z.object({ step: z.int() });
const config = { vocab: 4, hidden: 2, layers: 0, heads: 1, ffn: 2, context: 4 } as never;

describe("a process that has lost its lock", () => {
  const files = () =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .sort()
      .map((name) => [
        name,
        existsSync(join(folder, name)) && !name.endsWith("sub") ? readFileSync(join(folder, name), "utf8") : "",
      ]);

  const writes: [string, (path: string) => unknown][] = [
    ["replaces no file", (path) => writeFileAtomic(path, "new")],
    ["replaces no JSON file", (path) => writeJson(path, { a: 1 })],
    ["removes no file", (path) => remove(path)],
    ["adds nothing to a log", (path) => appendText(path, "new")],
    ["puts no token file into place", (path) => writeWhole(path, "new")],
    ["opens no file to add to", (path) => openLines(path, item)],
    [
      "saves no checkpoint",
      (path) => saveCheckpoint(join(path, "..", "sub", "checkpoint"), { config, tensors: new Map() }),
    ],
    ["reports no progress", (path) => progressFile(join(path, ".."))(1, 2, "working")],
  ];

  it.each(writes)("%s", async (_, write) => {
    mkdirSync(join(folder, "sub"));
    const path = join(folder, "file");
    writeFileSync(path, "old");
    const before = files();
    lose();
    await expect((async () => write(path))()).rejects.toThrow(TakenOver);
    expect(files()).toEqual(before);
  });

  it("adds no line and no record, and cuts none off, to files that it has open", () => {
    const lines = openLines(join(folder, "lines"), item);
    const records = openRecords(join(folder, "records"), 1);
    lines.append({ step: 1 });
    records.append(new Float32Array(1));
    lose();
    expect(() => lines.append({ step: 2 })).toThrow(TakenOver);
    expect(() => records.append(new Float32Array(1))).toThrow(TakenOver);
    expect(() => lines.truncateTo(() => false)).toThrow(TakenOver);
    expect(() => records.truncateTo(0)).toThrow(TakenOver);
    lines.close();
    records.close();
    expect(readFileSync(join(folder, "lines"), "utf8")).toBe('{"step":1}\n');
    expect(readFileSync(join(folder, "records"))).toHaveLength(4);
  });

  it("stays out once it has noticed, whatever the clock says", async () => {
    const lines = openLines(join(folder, "lines"), item);
    lose();
    expect(() => lines.append({ step: 1 })).toThrow(TakenOver);
    lost = false;
    expect(() => lines.append({ step: 1 })).toThrow(TakenOver);
    await expect(writeFileAtomic(join(folder, "file"), "new")).rejects.toThrow(TakenOver);
    lines.close();
  });
});

describe("a pause is noticed", () => {
  const paused: [string, () => void][] = [
    [
      "by the monotonic clock, when the other one was set back",
      () => vi.spyOn(performance, "now").mockReturnValue(performance.now() + 1500),
    ],
    [
      "by the other clock, when the monotonic one stood still, as in a computer that sleeps",
      () => vi.setSystemTime(Date.now() + 1500),
    ],
    ["when a clock is set back", () => vi.setSystemTime(Date.now() - 3_600_000)],
  ];
  it.each(paused)("%s", (_, pause) => {
    onTestFinished(() => void vi.restoreAllMocks());
    const lines = openLines(join(folder, "lines"), item);
    lost = true;
    lines.append({ step: 1 });
    pause();
    expect(() => lines.append({ step: 2 })).toThrow(TakenOver);
    lines.close();
  });
});

describe("a process that is stopped between its proof and its write", () => {
  it("renames nothing: who took the lock over has removed the temporary file", async () => {
    const path = join(folder, "file");
    writeFileSync(path, "old");
    let looks = 0;
    const fence = raiseFence(folder, () => {
      if (looks++ > 0) throw new TakenOver("stage a was taken over");
      // Another process takes the lock over just after this proof.
      for (const name of readdirSync(folder))
        if (name.includes(".tmp-")) renameSync(join(folder, name), join(folder, "swept"));
    });
    onTestFinished(() => fence.remove());
    await expect(writeFileAtomic(path, "new")).rejects.toThrow(TakenOver);
    expect(readFileSync(path, "utf8")).toBe("old");
  });

  it("adds its line to a file without a name, and the other one's file is whole", () => {
    const path = join(folder, "lines");
    const loser = openLines(path, item);
    loser.append({ step: 1 });
    const winner = openLines(path, item);
    winner.append({ step: 2 });
    loser.append({ step: 9 });
    winner.append({ step: 3 });
    loser.close();
    winner.close();
    expect(readFileSync(path, "utf8")).toBe('{"step":1}\n{"step":2}\n{"step":3}\n');
    expect(readdirSync(folder)).toEqual(["lines"]);
  });

  it("leaves no folder half removed under the name that its writer would rename", async () => {
    const half = join(folder, "checkpoint.tmp-1-00000000");
    mkdirSync(join(half, "deep"), { recursive: true });
    for (let i = 0; i < 50; i++) writeFileSync(join(half, "deep", `${i}`), "");
    const seen = new Set<number>();
    const sweep = removeLeftovers(folder);
    while (existsSync(half)) {
      seen.add(readdirSync(join(half, "deep")).length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await sweep;
    expect([...seen].every((count) => count === 50)).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
  });
});

it("a folder without a lock of this process is open to it", async () => {
  lose();
  const other = temporaryFolder();
  await replaceFile(join(other, "file"), async (handle) => void (await handle.write("new")));
  expect(readFileSync(join(other, "file"), "utf8")).toBe("new");
});
