import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { limitReach } from "../../../server/disk/reach.ts";
import { RunList } from "../../../server/editor/runList.ts";
import { runPaths } from "../../../server/runs/layout.ts";
import { acquireLock } from "../../../server/runs/lock.ts";
import { emptyFolder, writeRun } from "./folder.ts";

describe("a list of runs", () => {
  it("holds all runs of a folder, newest first, with their reports", async () => {
    const root = emptyFolder();
    writeRun(root, { id: "20260101-000000" });
    writeRun(root, { id: "20260201-000000", status: "failed", error: "no text" });
    writeFileSync(runPaths(root, "20260101-000000").report, "<html>");
    const { runs, problems } = await new RunList().read(root);
    expect(problems).toEqual([]);
    expect(runs.map(({ run, state, error }) => [run, state, error])).toEqual([
      ["20260201-000000", "failed", "no text"],
      ["20260101-000000", "done", undefined],
    ]);
    expect(runs[1]!.report).toBe(runPaths(root, "20260101-000000").report);
    expect(runs[0]!.report).toBeUndefined();
  });

  it("calls a run interrupted that says it is running while nobody works on it", async () => {
    const root = emptyFolder();
    const { id } = writeRun(root, { status: "running" });
    const list = new RunList();
    expect((await list.read(root)).runs[0]!.state).toBe("interrupted");
    const lock = acquireLock(runPaths(root, id).folder, "run");
    expect((await list.read(root)).runs[0]!.state).toBe("running");
    lock.release();
    expect((await list.read(root)).runs[0]!.state).toBe("interrupted");
  });

  it("says which runs lie outside an untrusted workspace, and reads them once it is trusted", async () => {
    const root = emptyFolder();
    writeRun(root, { id: "20260101-000000" });
    const list = new RunList();
    limitReach(() => [join(root, "elsewhere")]);
    onTestFinished(() => limitReach(() => undefined));
    const { runs, problems } = await list.read(root);
    expect([runs, problems]).toEqual([[], [expect.stringContaining("is outside the workspace")]]);
    limitReach(() => undefined);
    expect((await list.read(root)).runs).toHaveLength(1);
  });

  it("tells of a run that cannot be read, leaves out one that is being made, and drops one that was removed", async () => {
    const root = emptyFolder();
    writeRun(root, { id: "20260101-000000" });
    writeRun(root, { id: "20260102-000000" });
    writeFileSync(runPaths(root, "20260102-000000").record, "{");
    mkdirSync(runPaths(root, "20260103-000000").folder);
    const list = new RunList();
    const before = await list.read(root);
    expect(before.runs.map(({ run }) => run)).toEqual(["20260101-000000"]);
    expect(before.problems).toEqual([expect.stringContaining(join("20260102-000000", "run.json"))]);
    rmSync(runPaths(root, "20260101-000000").folder, { recursive: true });
    expect((await list.read(root)).runs).toEqual([]);
  });

  it("reads a record again only when the file has changed", async () => {
    const root = emptyFolder();
    const { id } = writeRun(root, { name: "first" });
    const { record } = runPaths(root, id);
    const time = new Date("2026-01-01");
    utimesSync(record, time, time);
    const list = new RunList();
    await list.read(root);
    writeFileSync(record, JSON.stringify({ broken: "x" }).padEnd(statSync(record).size));
    utimesSync(record, time, time);
    expect((await list.read(root)).runs[0]!.name).toBe("first");
    utimesSync(record, time, new Date());
    expect((await list.read(root)).problems).toHaveLength(1);
  });
});
