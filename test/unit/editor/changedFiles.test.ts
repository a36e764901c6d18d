import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ChangedFiles, inParallel } from "../../../server/editor/changedFiles.ts";
import { temporaryFolder } from "../runs/folder.ts";

/** The most files that are read at a time, of four files of a size. */
async function atOnce(bytes: number): Promise<number> {
  const folder = temporaryFolder();
  const paths = ["a", "b", "c", "d"].map((name) => join(folder, name));
  for (const path of paths) {
    writeFileSync(path, "");
    truncateSync(path, bytes);
  }
  const files = new ChangedFiles(10);
  let [reading, most] = [0, 0];
  const failed = await inParallel(paths, 4, (path) =>
    files
      .read(path, async () => {
        most = Math.max(most, ++reading);
        await new Promise((done) => setImmediate(done));
        reading--;
        if (path.endsWith("b")) throw new Error("broken");
      })
      .then(
        () => "",
        (error: Error) => error.message,
      ),
  );
  expect(failed).toEqual(["", "broken", "", ""]);
  return most;
}

it("files are read at the same time, but large ones one after the other, also after one that fails", async () => {
  expect(await atOnce(100)).toBeGreaterThan(1);
  expect(await atOnce(9 << 20)).toBe(1);
});
