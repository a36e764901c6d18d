import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  removeLeftovers,
  replaceFile,
  temporaryName,
  writeAll,
  writeFileAtomic,
  writeJson,
} from "../../../server/disk/atomic.ts";
import { diskError } from "../../../server/disk/errors.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { makeReadOnly, noMount, smallDisk } from "../runs/smallDisk.ts";

describe("writeFileAtomic", () => {
  it("writes text as UTF-8, replaces it, and leaves nothing else behind", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a.txt");
    await writeFileAtomic(path, "zwölf");
    await writeFileAtomic(path, "thirteen");
    expect(readFileSync(path, "utf8")).toBe("thirteen");
    expect(readdirSync(folder)).toEqual(["a.txt"]);
  });

  it("leaves one of the texts whole when several are written at once", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "run.json");
    await Promise.all(Array.from({ length: 20 }, (_, i) => writeJson(path, { value: i, filler: "x".repeat(5000) })));
    expect(JSON.parse(readFileSync(path, "utf8")).filler).toHaveLength(5000);
    expect(readdirSync(folder)).toEqual(["run.json"]);
  });

  it("leaves the target untouched and no temporary file when writing fails", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a.txt");
    await writeFileAtomic(path, "old");
    const failing = replaceFile(path, async (handle) => {
      await writeAll(handle, Buffer.from("half"), 0);
      throw new Error("interrupted");
    });
    await expect(failing).rejects.toThrow("interrupted");
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["a.txt"]);
  });

  it.skipIf(noMount)(
    `says on a full disk that it is full, keeps the target and removes the temporary file${noMount ? ` (skipped: ${noMount})` : ""}`,
    async () => {
      const folder = smallDisk(64);
      const path = join(folder, "a.bin");
      await writeFileAtomic(path, "old");
      const failing = writeFileAtomic(path, Buffer.alloc(200_000, 1));
      await expect(failing).rejects.toThrow(UserError);
      await expect(writeFileAtomic(path, Buffer.alloc(200_000, 1))).rejects.toThrow(
        `the disk that holds ${path} is full`,
      );
      expect(readFileSync(path, "utf8")).toBe("old");
      expect(readdirSync(folder)).toEqual(["a.bin"]);
      await writeFileAtomic(path, "new");
      expect(readFileSync(path, "utf8")).toBe("new");
    },
  );

  it.skipIf(noMount)(`says that a file system is read-only${noMount ? ` (skipped: ${noMount})` : ""}`, async () => {
    const folder = smallDisk(64);
    makeReadOnly(folder);
    await expect(writeFileAtomic(join(folder, "a"), "x")).rejects.toThrow(/a is on a read-only file system/);
  });

  it("says that a part of the path is a file", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a"), "");
    await expect(writeFileAtomic(join(folder, "a", "b"), "x")).rejects.toThrow(/a part of its path is a file/);
  });
});

describe("diskError", () => {
  it("turns what a user can mend into a UserError and leaves the rest", () => {
    const error = (code: string): Error => Object.assign(new Error(code), { code });
    expect(diskError(error("EDQUOT"), "/a")).toBeInstanceOf(UserError);
    expect(diskError(error("EACCES"), "/a")).toMatchObject({
      message: expect.stringMatching(/^no permission to write \/a:/),
    });
    const other = error("EINVAL");
    expect(diskError(other, "/a")).toBe(other);
    expect(diskError("text", "/a")).toBe("text");
  });
});

describe("removeLeftovers", () => {
  it("removes temporary files and folders, however deep, and nothing else", async () => {
    const folder = temporaryFolder();
    const below = join(folder, "nll");
    mkdirSync(below);
    writeFileSync(join(below, "windows.json"), "");
    writeFileSync(temporaryName(join(below, "windows.json")), "");
    for (const name of ["stage.json", "lock.3", "a.tmp-x", "notes.tmp-1-abc.txt"])
      writeFileSync(join(folder, name), "");
    writeFileSync(temporaryName(join(folder, "stage.json")), "");
    const half = temporaryName(join(folder, "checkpoint"));
    mkdirSync(half);
    writeFileSync(join(half, "config.json"), "");
    await removeLeftovers(folder);
    expect(readdirSync(folder).sort()).toEqual(["a.tmp-x", "lock.3", "nll", "notes.tmp-1-abc.txt", "stage.json"]);
    expect(readdirSync(below)).toEqual(["windows.json"]);
    await removeLeftovers(join(folder, "absent"));
  });
});
