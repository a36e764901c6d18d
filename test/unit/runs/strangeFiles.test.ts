import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RunList } from "../../../server/editor/runList.ts";
import { StageReader } from "../../../server/editor/stageReader.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { runPaths, stagePaths } from "../../../server/runs/layout.ts";
import { lockHolder } from "../../../server/runs/lock.ts";
import { readLastMetric, readMetrics, readRouting } from "../../../server/runs/read.ts";
import { listRuns } from "../../../server/runs/runs.ts";
import { readStage } from "../../../server/runs/stages.ts";
import { writeRun } from "../../fixtures/runFolder.ts";
import { temporaryFolder } from "./folder.ts";

/** Files of a run folder that are something else: reading them would wait for ever, or never come to an end. */

const kinds: [string, RegExp, (path: string) => void][] = [
  ["a named pipe", /is a named pipe, but must be a regular file: /, (path) => spawnSync("mkfifo", [path])],
  ["a link to a device", /is a device, but must be a regular file: /, (path) => symlinkSync("/dev/zero", path)],
];

describe.skipIf(process.platform === "win32").each(kinds)("%s", (_, message, make) => {
  const failure = async (work: () => unknown): Promise<unknown> => {
    try {
      return await work();
    } catch (error) {
      return error;
    }
  };
  const put = (path: string): string => {
    rmSync(path, { force: true });
    make(path);
    return path;
  };

  test("as run.json is a problem of the run in a list, for the command and for the editor", async () => {
    const { root, run } = writeRun(temporaryFolder());
    put(runPaths(root, run).record);
    const [listed] = await listRuns(root);
    expect(listed).toMatchObject({ id: run, problem: expect.stringMatching(message) });
    expect((await new RunList().read(root)).problems).toEqual([expect.stringMatching(message)]);
    expect(await failure(() => new StageReader().read(root, run))).toBeInstanceOf(UserError);
  });

  test("as stage.json, metrics.jsonl, routing.json or a lock is an error that names it", async () => {
    const { root, run, keyOf } = writeRun(temporaryFolder());
    const paths = stagePaths(root, keyOf("seed"));
    const names: [string, () => unknown][] = [
      [paths.metrics, () => readMetrics(paths, {})],
      [paths.metrics, () => readLastMetric(paths)],
      [paths.routingIndex, () => readRouting(paths)],
      [join(paths.folder, "lock.7"), () => lockHolder(paths.folder)],
      [join(paths.folder, "lock.7"), () => readStage(paths.folder)],
      [paths.record, () => readStage(paths.folder)],
    ];
    for (const [path, work] of names) {
      put(path);
      const error = await failure(work);
      expect(error).toBeInstanceOf(UserError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).toContain(path);
    }
    mkdirSync(join(runPaths(root, run).folder, "sub"), { recursive: true });
    const stages = await new StageReader().read(root, run);
    expect(stages.find(({ name }) => name === "seed")).toMatchObject({
      state: "failed",
      error: expect.stringMatching(message),
    });
  });
});
