import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { createRunFolder, runPaths, runRoot, stagePaths } from "../../../server/runs/layout.ts";
import { temporaryFolder } from "./folder.ts";
import { makeReadOnly, noMount, smallDisk } from "./smallDisk.ts";

describe("paths", () => {
  it("puts the run folder beside the experiment file", () => {
    expect(runRoot("/work/a/demo.btx.yaml")).toBe(["", "work", "a", ".btx"].join(sep));
    expect(runRoot("demo.btx.yaml")).toBe(join(process.cwd(), ".btx"));
  });

  it("refuses ids and keys that lead out of the run folder", () => {
    for (const name of ["..", "../x", "a/b", "", ".hidden", "a\\b", "a\0"]) {
      expect(() => runPaths("/root", name)).toThrow(/is not the name of a run or stage/);
      expect(() => stagePaths("/root", name)).toThrow(/is not the name of a run or stage/);
    }
  });
});

describe("createRunFolder", () => {
  it("gives ids that sort by time, also within one second", async () => {
    const root = join(temporaryFolder(), ".btx");
    const second = new Date("2026-07-31T14:22:33.900Z");
    const ids = [
      await createRunFolder(root, second),
      await createRunFolder(root, second),
      await createRunFolder(root, second),
      await createRunFolder(root, new Date("2026-07-31T14:22:34Z")),
      await createRunFolder(root, new Date("2026-12-01T01:02:03Z")),
    ];
    expect(ids).toEqual([
      "20260731-142233",
      "20260731-142233-02",
      "20260731-142233-03",
      "20260731-142234",
      "20261201-010203",
    ]);
    expect([...ids].sort()).toEqual(ids);
    expect(readFileSync(join(root, ".gitignore"), "utf8")).toBe("*\n");
  });

  it("gives processes that start at the same moment different ids", async () => {
    const root = join(temporaryFolder(), ".btx");
    const script = `
      import { createRunFolder } from ${JSON.stringify(new URL("../../../server/runs/layout.ts", import.meta.url).href)};
      console.log(await createRunFolder(process.argv[1], new Date(0)));`;
    const ids = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", script, root], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let text = "";
        child.stdout.on("data", (chunk) => {
          text += chunk;
        });
        const [code] = await once(child, "close");
        expect(code).toBe(0);
        return text.trim();
      }),
    );
    expect(new Set(ids).size).toBe(6);
  });

  it.skipIf(noMount)(`says that the folder may not be written${noMount ? ` (skipped: ${noMount})` : ""}`, async () => {
    const folder = smallDisk(64);
    makeReadOnly(folder);
    await expect(createRunFolder(join(folder, ".btx"))).rejects.toThrow(/\.btx is on a read-only file system/);
  });
});
