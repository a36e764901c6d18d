import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { type GrownFile, openLines, openRecords } from "../../../server/disk/append.ts";
import { digestOf } from "../../../server/disk/digest.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { readLines, readRecords } from "../../../server/runs/read.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { noMount, smallDisk } from "../runs/smallDisk.ts";

const schema = z.object({ step: z.int(), text: z.string().optional() });

describe("openLines", () => {
  it("appends one line an item, and goes on where an earlier writer ended", async () => {
    const path = join(temporaryFolder(), "metrics.jsonl");
    const first = openLines(path, schema);
    first.append({ step: 1, text: "a\nb ü" });
    first.close();
    const second = openLines(path, schema);
    second.append({ step: 2 });
    second.sync();
    second.close();
    expect(await readLines(path, schema)).toEqual([{ step: 1, text: "a\nb ü" }, { step: 2 }]);
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(3);
  });

  it("cuts off a torn last line, even one that parses", async () => {
    const path = join(temporaryFolder(), "metrics.jsonl");
    for (const torn of ['{"step":2', '{"step":22}', "\0\0\0"]) {
      writeFileSync(path, `{"step":1}\n${torn}`);
      const file = openLines(path, schema);
      file.append({ step: 3 });
      file.close();
      expect(await readLines(path, schema)).toEqual([{ step: 1 }, { step: 3 }]);
    }
  });

  it("drops everything from the first item that is not to be kept", async () => {
    const path = join(temporaryFolder(), "metrics.jsonl");
    const file = openLines(path, schema);
    for (const step of [1, 2, 3, 4, 2]) file.append({ step });
    expect(file.truncateTo(({ step }) => step <= 2)).toBe(2);
    file.append({ step: 7 });
    expect(await readLines(path, schema)).toEqual([{ step: 1 }, { step: 2 }, { step: 7 }]);
    expect(file.truncateTo(() => true)).toBe(3);
    expect(file.truncateTo(() => false)).toBe(0);
    file.close();
    expect(statSync(path).size).toBe(0);
  });

  it.skipIf(noMount)(`leaves no half line on a full disk${noMount ? ` (skipped: ${noMount})` : ""}`, async () => {
    const path = join(smallDisk(64), "metrics.jsonl");
    const file = openLines(path, schema);
    const write = (): void => {
      for (let step = 0; step < 1000; step++) file.append({ step, text: "x".repeat(999) });
    };
    expect(write).toThrow(UserError);
    expect(write).toThrow(/metrics\.jsonl is full/);
    file.close();
    const lines = await readLines(path, schema);
    expect(lines.length).toBeGreaterThan(10);
    expect(readFileSync(path).at(-1)).toBe(0x0a);
  });
});

describe("the digest of a file that grows", () => {
  it("is that of all bytes in it, whoever wrote them, also after it was cut", () => {
    const path = join(temporaryFolder(), "metrics.jsonl");
    const expectDigest = (file: GrownFile): void => {
      const bytes = readFileSync(path);
      expect(file.digest).toEqual({ bytes: bytes.length, digest: digestOf(bytes) });
    };
    const first = openLines(path, schema);
    expectDigest(first);
    for (const step of [1, 2, 3, 4]) first.append({ step, text: "x".repeat(step * 100_000) });
    expectDigest(first);
    first.truncateTo(({ step }) => step <= 2);
    expectDigest(first);
    first.close();
    const second = openLines(path, schema);
    second.append({ step: 5 });
    expectDigest(second);
    second.truncateTo(() => false);
    expectDigest(second);
    second.close();
  });

  it("is kept of records too", () => {
    const path = join(temporaryFolder(), "routing.f32");
    const file = openRecords(path, 3);
    for (const value of [1, 2, 3]) file.append(new Float32Array(3).fill(value));
    file.truncateTo(2);
    file.append(Float32Array.of(7, 8, 9));
    expect(file.digest).toEqual({ bytes: 36, digest: digestOf(readFileSync(path)) });
    file.close();
  });
});

describe("openRecords", () => {
  it("appends records and goes on after a torn one", async () => {
    const path = join(temporaryFolder(), "routing.f32");
    const first = openRecords(path, 3);
    first.append(Float32Array.of(1, 2, 3));
    first.close();
    appendFileSync(path, Buffer.alloc(7, 9));
    expect(await readRecords(path, 3)).toEqual({ count: 1, size: 3, values: Float32Array.of(1, 2, 3) });
    const second = openRecords(path, 3);
    expect(second.count).toBe(1);
    second.append(new Float32Array([0, 4, 5, 6]).subarray(1));
    expect(second.count).toBe(2);
    second.close();
    expect([...(await readRecords(path, 3)).values]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("keeps the records that are wanted on resume and refuses to keep more than there are", async () => {
    const path = join(temporaryFolder(), "routing.f32");
    const file = openRecords(path, 2);
    for (let i = 0; i < 5; i++) file.append(Float32Array.of(i, i));
    file.truncateTo(2);
    expect(file.count).toBe(2);
    expect(() => file.truncateTo(3)).toThrow(/holds 2 records instead of 3/);
    expect(() => file.append(Float32Array.of(1))).toThrow(/has 2 values, not 1/);
    file.close();
    expect([...(await readRecords(path, 2)).values]).toEqual([0, 0, 1, 1]);
  });
});
