import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runRecordSchema } from "../../server/protocol/run.ts";
import { stageRecordSchema } from "../../server/protocol/stage.ts";
import { runPathsIn, runsFolder } from "../../server/runs/layout.ts";
import { writeExperiment } from "../fixtures/experiment.ts";
import { noMount } from "../unit/runs/smallDisk.ts";
import { btx, btxSummary, said } from "./btx.ts";
import { newestRun, readRunRecord, readStageRecord, runBits } from "./results.ts";
import { finishedExperiment, scratchFolder } from "./scratch.ts";

/**
 * Kilobytes of the disk at each start, the experiment's text included; a run needs about 700. It becomes full while the
 * data is made, in the log, in the metrics, and in a checkpoint of unfinished training.
 */
const tooSmall = [84, 100, 116, 140, 280];
const large = 8000;

const mount = (...args: string[]) => {
  const { status, stderr } = spawnSync("mount", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`mount failed: ${stderr}`);
};

describe.skipIf(noMount)(`a full disk${noMount ? ` (left out: ${noMount})` : ""}`, () => {
  it("stops the run with one sentence and no damage; with more room `btx resume` gives the same bits", async () => {
    const folder = scratchFolder();
    mount("-t", "tmpfs", "-o", `size=${tooSmall[0]}k`, "tmpfs", folder);
    onTestFinished(() => void spawnSync("umount", ["-l", folder]));
    const { root, file } = writeExperiment(folder, { compare: undefined });
    const env = { BTX_CHECKPOINT_SECONDS: "0" };
    const begun = () => {
      const runs = existsSync(runsFolder(root)) ? readdirSync(runsFolder(root)) : [];
      return runs.some((id) => existsSync(runPathsIn(join(runsFolder(root), id)).record));
    };
    for (const size of tooSmall) {
      mount("-o", `remount,size=${size}k`, folder);
      const ended = await btx(begun() ? ["resume", "--in", folder] : ["run", file], { env });
      expect(ended.code, `${size} kB\n${said(ended)}`).toBe(1);
      expect(ended.stderr.match(/\bfull\b/g), `${size} kB\n${said(ended)}`).toHaveLength(1);
      expect(ended.stderr).not.toMatch(/^ +at |ENOSPC/m);
      if (!begun()) continue;
      const run = runRecordSchema.parse(readRunRecord(root, newestRun(root)));
      for (const { key } of run.stages) {
        const record = readStageRecord(root, key);
        if (record) stageRecordSchema.parse(record);
      }
      expect((await btx(["status", "--in", folder])).code).toBe(0);
    }
    mount("-o", `remount,size=${large}k`, folder);
    await btxSummary(["resume", "--in", folder], { env });
    const finished = finishedExperiment();
    const expected = runBits(finished.root, newestRun(finished.root));
    for (const [stage, bits] of Object.entries(runBits(root, newestRun(root))))
      expect(bits, stage).toEqual(expected[stage]);
  });
});
