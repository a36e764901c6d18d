import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
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
    const text = readFileSync(paths.record, "utf8");
    writeFileSync(paths.record, text.replace('"threads": 1', '"threads": "many"'));
    await expect(readStage(paths.folder)).rejects.toThrow(`${paths.record} has no valid \`threads\``);
    writeFileSync(paths.record, text.replace('"k": 2', '"k": 0'));
    await expect(readStage(paths.folder)).rejects.toThrow(`${paths.record} has no valid \`spec.router.k\``);
    writeFileSync(paths.record, text.slice(0, 100));
    await expect(readStage(paths.folder)).rejects.toThrow(`${paths.record} is not valid JSON`);
  });
});
