import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runPaths, stagePaths } from "../../../server/runs/layout.ts";
import { acquireLock, LockedError } from "../../../server/runs/lock.ts";
import { folderBytes, removeRests, removeRun, removeStage, removeStages } from "../../../server/runs/remove.ts";
import { lostStages, lostUnused, stageUses, unusedStages, whyUsed } from "../../../server/runs/stageUses.ts";
import { emptyFolder, keys, writeRun, writeStage } from "../editor/folder.ts";

const freshRoot = (): string => join(emptyFolder(), ".btx");
const [seed, mix] = [keys.get("seed")!, keys.get("mix")!];

describe("removing a stage", () => {
  it("takes its whole folder, and says whether there was one", async () => {
    const root = freshRoot();
    const paths = writeStage(root, "seed");
    mkdirSync(paths.checkpoint);
    expect(await removeStage(root, seed)).toBe(true);
    expect(existsSync(paths.folder)).toBe(false);
    expect(readdirSync(root)).toEqual(["stages"]);
    expect(await removeStage(root, seed)).toBe(false);
  });

  it("is refused while a process works on it", async () => {
    const root = freshRoot();
    const { folder, record } = writeStage(root, "seed");
    const lock = acquireLock(folder, "seed");
    await expect(removeStage(root, seed)).rejects.toThrow(LockedError);
    expect(existsSync(record)).toBe(true);
    lock.release();
    expect(await removeStage(root, seed)).toBe(true);
  });

  it("of several goes on when one must stay, and says why", async () => {
    const root = freshRoot();
    const lock = acquireLock(writeStage(root, "seed").folder, "seed");
    const size = await folderBytes(writeStage(root, "mix").folder);
    writeStage(root, "finetune");
    const finetune = keys.get("finetune")!;
    const why = async (key: string) => (key === finetune ? "it is wanted" : undefined);
    const removed = await removeStages(root, [seed, finetune, mix, "f".repeat(16)], why);
    lock.release();
    expect(removed).toMatchObject({ stages: 1, bytes: size });
    expect(removed.kept).toEqual([expect.stringContaining("is being run by process"), "it is wanted"]);
  });

  it("leads out of the run folder by no name", async () => {
    await expect(async () => removeStage(freshRoot(), "../..")).rejects.toThrow(/is not the name of a run or stage/);
  });
});

describe("removing a run", () => {
  it("leaves its stages", async () => {
    const root = freshRoot();
    const { id } = writeRun(root);
    const { folder } = writeStage(root, "seed");
    expect(await removeRun(root, id)).toBe(true);
    expect(existsSync(runPaths(root, id).folder)).toBe(false);
    expect(existsSync(folder)).toBe(true);
  });

  it("leaves nothing of what a killed remover began", async () => {
    const root = freshRoot();
    mkdirSync(join(root, "removed.tmp-123-0123abcd"), { recursive: true });
    await removeRests(root);
    expect(readdirSync(root)).toEqual([]);
  });

  it("leaves no temporary file of a killed writer, except where a process is working", async () => {
    const root = freshRoot();
    const run = runPaths(root, writeRun(root).id).folder;
    const [idle, busy] = [writeStage(root, "seed").folder, writeStage(root, "mix").folder];
    for (const folder of [run, idle, busy]) writeFileSync(join(folder, "run.json.tmp-123-0123abcd"), "half");
    const lock = acquireLock(busy, "mix");
    await removeRests(root);
    lock.release();
    const left = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.includes(".tmp-"));
    expect(left.map((name) => join(root, name))).toEqual([join(busy, "run.json.tmp-123-0123abcd")]);
  });
});

describe("stages that are unused", () => {
  it("are those that no run names", async () => {
    const root = freshRoot();
    const run = writeRun(root, { id: "20260101-000000" });
    writeRun(root, { id: "20260102-000000", stages: run.stages.filter(({ name }) => name === "seed") });
    writeStage(root, "seed");
    writeStage(root, "mix");
    writeFileSync(join(root, "stages", "notes.txt"), "");
    expect((await stageUses(root)).get(seed)).toEqual(["20260101-000000", "20260102-000000"]);
    expect(await unusedStages(root)).toEqual([]);
    await removeRun(root, "20260101-000000");
    expect(await unusedStages(root)).toEqual([mix]);
    expect(await lostUnused(root)).toMatchObject([{ key: mix, name: "mix", otherRuns: 0, locked: false }]);
    expect(await whyUsed(root, seed)).toMatch(/is used by 20260102-000000/);
    expect(await whyUsed(root, mix)).toBeUndefined();
  });

  it("are not known while a run cannot be read", async () => {
    const root = freshRoot();
    const { id } = writeRun(root);
    writeStage(root, "seed");
    writeFileSync(runPaths(root, id).record, "{");
    await expect(unusedStages(root)).rejects.toThrow(/run\.json/);
  });

  it("are not known while a run has lost its run.json, unless nothing else is in its folder", async () => {
    const root = freshRoot();
    const { folder, record, report } = runPaths(root, writeRun(root).id);
    writeStage(root, "seed");
    writeFileSync(join(folder, "lock.3"), "");
    rmSync(record);
    expect(await unusedStages(root)).toEqual([seed]);
    writeFileSync(report, "<html>");
    await expect(unusedStages(root)).rejects.toThrow(
      `${folder} has no run.json, but other files of a run (report.html), so it is not known which stages it uses: put run.json back, or remove the folder`,
    );
  });

  it("are not known while a file that may use one as its seed cannot be read", async () => {
    const root = freshRoot();
    writeStage(root, "seed");
    const file = join(root, "..", "other.btx.yaml");
    mkdirSync(file);
    onTestFinished(() => rmSync(file, { recursive: true }));
    await expect(unusedStages(root)).rejects.toThrow(`${file} is a folder, but must be a regular file`);
  });
});

describe("what would be lost", () => {
  it("is each stage that is there, with its bytes, its work and who else uses it", async () => {
    const root = freshRoot();
    const { id } = writeRun(root, { id: "20260101-000000" });
    writeRun(root, { id: "20260102-000000" });
    const paths = writeStage(root, "seed", { seconds: 90 });
    writeFileSync(stagePaths(root, seed).metrics, "1234");
    const bytes = await folderBytes(paths.folder);
    const lost = await lostStages(root, [seed, mix, seed], await stageUses(root), id);
    expect(lost).toMatchObject([{ key: seed, name: "seed", seconds: 90, bytes, otherRuns: 1 }]);
  });
});
