import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { acquireLock } from "../../../server/runs/lock.ts";
import { createRun, findRun, listRuns, readRun, updateRun } from "../../../server/runs/runs.ts";
import { temporaryFolder } from "./folder.ts";
import { mixSpec, planned } from "./records.ts";

const fields = {
  name: "demo",
  file: "/work/demo.btx.yaml",
  experiment: "domains: {}\n",
  stages: [planned("mix", "1", mixSpec)],
  reused: [],
};

describe("runs", () => {
  it("are created, read back, changed and listed oldest first", async () => {
    const root = join(temporaryFolder(), ".btx");
    expect(await listRuns(root)).toEqual([]);
    const runs = [await createRun(root, fields), await createRun(root, { ...fields, name: "second" })];
    const listed = await listRuns(root);
    expect(listed.map(({ id }) => id)).toEqual(runs.map(({ record }) => record.id));
    const { paths, record } = runs[0]!;
    expect((await readRun(paths.folder))?.record).toEqual(record);
    await updateRun(paths.folder, { status: "failed", error: "no disk" });
    expect(await readRun(paths.folder)).toMatchObject({ state: "failed", record: { error: "no disk", name: "demo" } });
    const changed = await updateRun(paths.folder, { status: "done", error: undefined });
    expect(changed.error).toBeUndefined();
    expect((await readRun(paths.folder))?.record).not.toHaveProperty("error");
  });

  it("leave nothing behind when they cannot be created", async () => {
    const root = join(temporaryFolder(), ".btx");
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    await expect(createRun(root, { ...fields, stages: [cyclic] as never })).rejects.toThrow(/circular/);
    expect(readdirSync(join(root, "runs"))).toEqual([]);
  });

  it("are interrupted when they say they run and nobody holds their lock", async () => {
    const root = temporaryFolder();
    const { paths } = await createRun(root, fields);
    const lock = acquireLock(paths.folder, "the run");
    expect((await readRun(paths.folder))?.state).toBe("running");
    lock.release();
    expect((await readRun(paths.folder))?.state).toBe("interrupted");
  });

  it("are found by id, by its beginning, or as the newest", async () => {
    const root = temporaryFolder();
    await expect(findRun(root)).rejects.toThrow(/there is no run in .+: start one/);
    const first = await createRun(root, fields);
    const second = await createRun(root, fields);
    expect((await findRun(root)).record.id).toBe(second.record.id);
    expect((await findRun(root, first.record.id)).record.id).toBe(first.record.id);
    expect((await findRun(root, second.record.id)).record.id).toBe(second.record.id);
    await expect(findRun(root, "2")).rejects.toThrow(/2 runs in .+ begin with 2: give more of the id/);
    await expect(findRun(root, "nothing")).rejects.toThrow(`there is no run nothing in ${root}, the newest is`);
    await expect(updateRun(join(root, "runs", "absent"), {})).rejects.toThrow(/is not a run folder/);
  });

  it("with a broken record are listed with their problem, and without one passed over", async () => {
    const root = temporaryFolder();
    const good = await createRun(root, fields);
    for (const id of ["20200101-000000", "20990101-000000"]) mkdirSync(join(root, "runs", id));
    const broken = join(root, "runs", "20990101-000000", "run.json");
    writeFileSync(broken, JSON.stringify({ ...good.record, status: "flying" }));
    const listed = await listRuns(root);
    expect(listed.map(({ id }) => id)).toEqual([good.record.id, "20990101-000000"]);
    expect(listed[1]).toMatchObject({ problem: expect.stringContaining(`${broken} has no valid \`status\``) });
    await expect(findRun(root)).rejects.toThrow(`${broken} has no valid \`status\``);
  });
});
