import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../server/protocol/errors.ts";
import { stagePaths } from "../../../server/runs/layout.ts";
import { acquireLock } from "../../../server/runs/lock.ts";
import { readStage, writeStage } from "../../../server/runs/stages.ts";
import { temporaryFolder } from "./folder.ts";
import { mixSpec, planned, record } from "./records.ts";

const stage = planned("mix", "1", mixSpec);

describe("readStage", () => {
  it("knows no stage that was never begun", async () => {
    expect(await readStage(join(temporaryFolder(), "absent"))).toBeUndefined();
  });

  it("calls a running stage interrupted when nobody holds its lock, and only a running one", async () => {
    const paths = stagePaths(temporaryFolder(), stage.key);
    const lock = acquireLock(paths.folder, "stage mix");
    await writeStage(paths, record(stage, { status: "running" }));
    expect(await readStage(paths.folder)).toMatchObject({ state: "running", holder: { pid: process.pid } });
    lock.release();
    const interrupted = await readStage(paths.folder);
    expect(interrupted).toMatchObject({ state: "interrupted", record: { status: "running" } });
    expect(interrupted?.holder).toBeUndefined();
    for (const status of ["stopped", "failed", "done"] as const) {
      await writeStage(paths, record(stage, { status }));
      expect((await readStage(paths.folder))?.state).toBe(status);
    }
  });

  it("names the file and the key of a broken record", async () => {
    const paths = stagePaths(temporaryFolder(), stage.key);
    await writeStage(paths, record(stage));
    // Of an older version, without a digest.
    const text = JSON.stringify(record(stage), null, 2);
    writeFileSync(paths.record, text.replace('"threads": 1', '"threads": "many"'));
    await expect(readStage(paths.folder)).rejects.toThrow(`${paths.record} has no valid \`threads\``);
    writeFileSync(paths.record, text.replace('"k": 2', '"k": 0'));
    await expect(readStage(paths.folder)).rejects.toThrow(`${paths.record} has no valid \`spec.router.k\``);
    writeFileSync(paths.record, text.slice(0, 100));
    await expect(readStage(paths.folder)).rejects.toThrow(`${paths.record} is not valid JSON`);
    writeFileSync(paths.record, text);
    expect((await readStage(paths.folder))?.record).toEqual(record(stage));
  });

  it("notices every flipped bit in a record, and says how the stage is run again", async () => {
    const paths = stagePaths(temporaryFolder(), stage.key);
    await writeStage(paths, record(stage));
    const good = readFileSync(paths.record);
    for (let bit = 0; bit < good.length * 8; bit += 5) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(paths.record, bytes);
      await expect(readStage(paths.folder), `bit ${bit}`).rejects.toThrow(UserError);
    }
    writeFileSync(paths.record, good.toString().replace('"threads": 1', '"threads": 2'));
    await expect(readStage(paths.folder)).rejects.toThrow(
      `${paths.record} is damaged (its content has changed since it was written): delete the folder ${paths.folder}, which stage "${stage.name}" made, then run \`btx resume\` to make it again`,
    );
  });
});
