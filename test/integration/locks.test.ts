import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runPaths, runsFolder, stagePaths } from "../../server/runs/layout.ts";
import { btx, btxSummary, said, stageEvent, startBtx, until } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, runBits } from "./results.ts";
import { finishedExperiment, tinyExperiment } from "./scratch.ts";

const expected = () => {
  const { root } = finishedExperiment();
  return runBits(root, newestRun(root));
};
const env = { BTX_CHECKPOINT_SECONDS: "0" };

describe("two processes that want the same work", () => {
  it("share it when two runs start at the same moment: each stage is done once and both runs end whole", async () => {
    const { file, folder, root } = tinyExperiment({ compare: undefined });
    const both = [startBtx(["run", file, "--json"]), startBtx(["run", file, "--json"])];
    const ended = await Promise.all(both.map((command) => command.ended));
    for (const result of ended) expect(result.code, said(result)).toBe(0);
    const trained = both.flatMap(({ lines }) =>
      lines.flatMap((line) => (line.event === "stage" && line.status === "done" && !line.reused ? [line.stage] : [])),
    );
    expect(trained.toSorted()).toEqual([...new Set(trained)].sort());
    const runs = readdirSync(runsFolder(root)).sort();
    expect(runs).toHaveLength(2);
    for (const run of runs) {
      const summary = await btxSummary(["resume", run], { cwd: folder });
      expect(summary.status).toBe("done");
      for (const [stage, bits] of Object.entries(runBits(root, run))) expect(bits, stage).toEqual(expected()[stage]);
    }
  });

  it("refuses to resume a run that is going on, naming its process", async () => {
    const { file, folder, root } = tinyExperiment({ compare: undefined, seed: "{tokens: 64000}" });
    const command = startBtx(["run", file, "--json"], { env });
    await command.line(stageEvent("seed", "running"));
    const refused = await btx(["resume"], { cwd: folder });
    expect(refused.code, said(refused)).toBe(1);
    expect(refused.stderr).toMatch(
      new RegExp(
        `^btx: run \\S+ is being run by process ${command.pid} on .+: wait for it, or stop it with \`btx stop\`\n$`,
      ),
    );
    expect(refused.stdout).toBe("");
    // The run that was going on did not notice.
    expect(command.process.exitCode).toBeNull();
    expect(readRunRecord(root, newestRun(root)).status).toBe("running");
    command.signalAll("SIGTERM");
    expect((await command.ended).code).toBe(3);
  });

  it("takes over the locks of killed processes, even when another process has got their ids", async () => {
    const { file, folder, root } = tinyExperiment({ compare: undefined });
    const command = startBtx(["run", file, "--json"], { env });
    await command.line(stageEvent("seed", "running"));
    const id = newestRun(root);
    const seed = readRunRecord(root, id).stages.find(({ name }) => name === "seed")!.key;
    await until("the seed trains", () => readMetrics(root, seed).length > 2);
    command.signalAll("SIGKILL");
    await command.ended;
    for (const at of [runPaths(root, id).folder, stagePaths(root, seed).folder]) {
      const lock = join(at, readdirSync(at).find((name) => name.startsWith("lock."))!);
      const holder = JSON.parse(readFileSync(lock, "utf8"));
      // This process lives, and began at another time.
      writeFileSync(lock, JSON.stringify({ ...holder, pid: process.pid }));
    }
    const status = await btx(["status", "--json"], { cwd: folder });
    expect(JSON.parse(status.stdout).status, said(status)).toBe("interrupted");
    const resumed = startBtx(["resume", "--json"], { cwd: folder });
    await resumed.line(stageEvent("seed", "done"));
    resumed.signalAll("SIGINT");
    expect((await resumed.ended).code).toBe(3);
    expect(runBits(root, id).seed).toEqual(expected().seed);
  });
});
