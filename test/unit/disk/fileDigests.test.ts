import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DamagedError } from "../../../server/disk/damaged.ts";
import { digestOf } from "../../../server/disk/digest.ts";
import { checkBeginning, checkFile, digestOfFile } from "../../../server/disk/fileDigests.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { temporaryFolder } from "../runs/folder.ts";

const bytes = Buffer.from(Array.from({ length: 2_500_000 }, (_, i) => (i * 31) >> 2));
const whole = { bytes: bytes.length, digest: digestOf(bytes) };

function written(content = bytes): string {
  const path = join(temporaryFolder(), "a.bin");
  writeFileSync(path, content);
  return path;
}

describe("digestOfFile", () => {
  it("is that of all bytes, or of the first ones, and reports what it has read", async () => {
    const path = written();
    const pieces: number[] = [];
    expect(await digestOfFile(path, (read) => pieces.push(read))).toEqual(whole);
    expect(pieces.reduce((sum, piece) => sum + piece, 0)).toBe(bytes.length);
    for (const length of [0, 1, 1 << 20, 2_000_000])
      expect(await digestOfFile(path, undefined, length)).toEqual({
        bytes: length,
        digest: digestOf(bytes.subarray(0, length)),
      });
  });

  it("ends with what the visitor throws", async () => {
    const stop = new Error("stop");
    const stopping = digestOfFile(written(), () => {
      throw stop;
    });
    await expect(stopping).rejects.toBe(stop);
  });
});

describe("checkFile", () => {
  it("passes the file, and names one that changed, is longer, shorter or missing", async () => {
    const path = written();
    await checkFile(path, whole);
    const changed = Buffer.from(bytes);
    changed[1_234_567]! ^= 16;
    for (const [content, what] of [
      [changed, "its content has changed since it was written"],
      [bytes.subarray(1), "it has 2499999 bytes, but 2500000 were written"],
      [Buffer.concat([bytes, Buffer.from("x")]), "it has 2500001 bytes, but 2500000 were written"],
    ] as const) {
      writeFileSync(path, content);
      await expect(checkFile(path, whole)).rejects.toThrow(`${path} is damaged (${what})`);
    }
    rmSync(path);
    await expect(checkFile(path, whole)).rejects.toThrow(`${path} is damaged (it is missing)`);
  });

  it("calls what cannot be read not damaged", async () => {
    const folder = join(temporaryFolder(), "folder");
    mkdirSync(folder);
    // Reading a process's memory from its first byte on fails with EIO.
    for (const path of process.platform === "linux" ? [folder, "/proc/self/mem"] : [folder]) {
      const error = await checkFile(path, whole).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UserError);
      expect(error).not.toBeInstanceOf(DamagedError);
    }
  });
});

describe("checkBeginning", () => {
  it("passes a file that has grown since, and names one that has not kept its beginning", async () => {
    const path = written(Buffer.concat([bytes, Buffer.from("more")]));
    await checkBeginning(path, whole);
    writeFileSync(path, bytes.subarray(0, -1));
    await expect(checkBeginning(path, whole)).rejects.toThrow(`${path} is damaged (it has 2499999 bytes`);
  });
});
