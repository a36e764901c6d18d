import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DomainFiles } from "../../../../server/language/facts/domainFiles.ts";
import { ask, folderWith } from "../support.ts";

describe("a domain's files", () => {
  const folder = folderWith({ "a.txt": "abc", "b.txt": "de", "c.md": "x" });
  const file = join(folder, "e.btx.yaml");

  it("are counted with their bytes", async () => {
    const files = new DomainFiles(ask);
    expect(await files.look(file, ["*.txt"])).toEqual({ count: 2, bytes: 5 });
    expect(await files.look(file, ["*", "!*.md", "!a.*"])).toEqual({ count: 1, bytes: 2 });
  });

  it("are told to be missing in one sentence", async () => {
    expect(await new DomainFiles(ask).look(file, ["*.py"])).toEqual({
      problem: expect.stringContaining('no file matches "*.py"'),
    });
  });

  it("are looked for once in a while", async () => {
    const files = new DomainFiles(ask);
    const before = await files.look(file, ["*"]);
    writeFileSync(join(folder, "d.txt"), "new");
    expect(await files.look(file, ["*"])).toBe(before);
    expect(await new DomainFiles(ask).look(file, ["*"])).toMatchObject({ count: 4 });
  });
});
