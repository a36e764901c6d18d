import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { stagesFolder } from "../../server/runs/layout.ts";
import { acquireLock } from "../../server/runs/lock.ts";
import { btx } from "./btx.ts";
import { copyOfFinished } from "./scratch.ts";

describe("btx clean", () => {
  it("lists with --dry-run, and removes, the stages that no run uses and no process works on", async () => {
    const { root, folder } = copyOfFinished();
    const all = readdirSync(stagesFolder(root)).length;
    expect((await btx(["clean"], { cwd: folder })).stdout).toContain("0 removed, 0 B");
    rmSync(join(root, "runs"), { recursive: true });
    const listed = await btx(["clean", "--dry-run"], { cwd: folder });
    expect(listed.code).toBe(0);
    expect(listed.stdout).toMatch(/[0-9a-f]{16} {2}finetune {2}[\d.]+ kB, [\d.]+ s of work, 20\d\d-/);
    expect(listed.stdout).toContain(`${all} unused`);
    expect(readdirSync(stagesFolder(root))).toHaveLength(all);
    const key = readdirSync(stagesFolder(root))[0]!;
    const lock = acquireLock(join(stagesFolder(root), key), "a stage");
    const { code, stdout } = await btx(["clean", "--json"], { cwd: folder });
    lock.release();
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ stages: all - 1, kept: [expect.stringContaining("is being run")] });
    expect(readdirSync(stagesFolder(root))).toEqual([key]);
  });

  it("removes nothing while a run cannot be read, whose stages are not known", async () => {
    const { root, folder } = copyOfFinished();
    mkdirSync(join(root, "runs", "20260101-000000"));
    writeFileSync(join(root, "runs", "20260101-000000", "run.json"), "{");
    const { code, stderr } = await btx(["clean"], { cwd: folder });
    expect(code).toBe(1);
    expect(stderr).toMatch(/run\.json is not valid JSON/);
    expect(existsSync(stagesFolder(root))).toBe(true);
  });
});

describe("btx run --stage", () => {
  it("takes a section of the file for all the stages that come of it", async () => {
    const { file, folder } = copyOfFinished();
    const { code, stdout } = await btx(["run", file, "--stage", "experts", "--json"], { cwd: folder });
    expect(code).toBe(0);
    const first = JSON.parse(stdout.split("\n")[0]!);
    expect(first.stages).toEqual(["data", "seed", "expert:words", "expert:sums"]);
  });
});
