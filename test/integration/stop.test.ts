import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { stagePaths } from "../../server/runs/layout.ts";
import { lockHolder } from "../../server/runs/lock.ts";
import type { ExperimentFolder, Sections } from "../fixtures/experiment.ts";
import { type Btx, btx, btxSummary, node, said, stageEvent, startBtx, until } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, readStageRecord, runBits } from "./results.ts";
import { tinyExperiment } from "./scratch.ts";

const stageProgram = fileURLToPath(new URL("../../dist/stage.js", import.meta.url));

/** A seed that trains for a while, and nothing to compare with. */
const sections: Sections = { seed: "{tokens: 16000}", compare: undefined, evaluate: "{tokens: 160, answers: 0}" };
/** A checkpoint after every step, which also makes steps slow enough to be met. */
const env = { BTX_CHECKPOINT_SECONDS: "0" };

describe("a run that is interrupted", () => {
  let expected: ReturnType<typeof runBits>;
  beforeAll(async () => {
    const reference = tinyExperiment(sections);
    await btxSummary(["run", reference.file]);
    expected = runBits(reference.root, newestRun(reference.root));
  });

  const start = ({ file, folder }: ExperimentFolder, command: "run" | "resume"): Btx =>
    startBtx([...(command === "run" ? ["run", file] : ["resume"]), "--json"], { cwd: folder, env });
  const keyOf = ({ root }: ExperimentFolder, stage: string) =>
    readRunRecord(root, newestRun(root)).stages.find(({ name }) => name === stage)!.key;
  /** Waits until a stage has trained some more steps. */
  async function trains(experiment: ExperimentFolder, stage: string, steps = 3): Promise<void> {
    const key = keyOf(experiment, stage);
    const before = readMetrics(experiment.root, key).length;
    // Lines after the last checkpoint are cut off when the stage is taken up: fewer lines is news too.
    await until(`${stage} trains`, () => Math.abs(readMetrics(experiment.root, key).length - before) >= steps);
  }

  it("goes on when only its runner is killed: stages stop by themselves and the resumed run waits for them", async () => {
    const experiment = tinyExperiment(sections);
    // The stage's process is just being started.
    const first = start(experiment, "run");
    await first.line(stageEvent("seed", "running"));
    first.process.kill("SIGKILL");
    await first.ended;

    // Taken up at once, and killed again in the middle of training.
    const second = start(experiment, "resume");
    await second.line(stageEvent("seed", "running"));
    await trains(experiment, "seed");
    second.process.kill("SIGKILL");
    await second.ended;
    await btxSummary(["resume"], { cwd: experiment.folder });
    expect(runBits(experiment.root, newestRun(experiment.root))).toEqual(expected);
  });

  it("fails with one sentence when a stage's process is killed, and is then finished by `btx resume`", async () => {
    const experiment = tinyExperiment(sections);
    const command = start(experiment, "run");
    await command.line(stageEvent("expert:words", "running"));
    const { folder } = stagePaths(experiment.root, keyOf(experiment, "expert:words"));
    await until("the expert's process works", () => lockHolder(folder) !== undefined);
    process.kill(lockHolder(folder)!.pid, "SIGKILL");
    const ended = await command.ended;
    expect(ended.code, said(ended)).toBe(1);
    const error = "its process was ended by SIGKILL (the system does this when memory runs out)";
    const failed = { event: "stage", stage: "expert:words", status: "failed", reused: false, error };
    expect(command.lines).toContainEqual(expect.objectContaining(failed));
    expect(readRunRecord(experiment.root, newestRun(experiment.root))).toMatchObject({
      status: "failed",
      error: `stage "expert:words": ${error}`,
    });
    // The other expert stopped after a checkpoint, or before it had begun.
    const other = readStageRecord(experiment.root, keyOf(experiment, "expert:sums"))?.status ?? "waiting";
    expect(other).toMatch(/^(waiting|stopped|done)$/);

    const status = await btx(["status", "--in", experiment.folder]);
    expect(status.code, said(status)).toBe(0);
    await btxSummary(["resume"], { cwd: experiment.folder });
    expect(runBits(experiment.root, newestRun(experiment.root))).toEqual(expected);
  });

  it("stops after a checkpoint on Ctrl-C, at once on a second one, and on `btx stop`, without losing a bit", async () => {
    const experiment = tinyExperiment(sections);
    const { folder, root } = experiment;
    const stopped = async (command: Btx) => {
      const ended = await command.ended;
      expect(ended.code, said(ended)).toBe(3);
      expect(readRunRecord(root, newestRun(root)).status).toBe("stopped");
    };

    // A terminal sends Ctrl-C to all processes. Here the stage's is just being started.
    const first = start(experiment, "run");
    await first.line(stageEvent("data", "running"));
    first.signalAll("SIGINT");
    await stopped(first);

    const second = start(experiment, "resume");
    await second.line(stageEvent("seed", "running"));
    await trains(experiment, "seed");
    second.signalAll("SIGINT");
    await stopped(second);
    const seed = keyOf(experiment, "seed");
    expect(readStageRecord(root, seed)?.status).toBe("stopped");
    expect(existsSync(stagePaths(root, seed).state)).toBe(true);

    const third = start(experiment, "resume");
    await third.line(stageEvent("seed", "running"));
    await trains(experiment, "seed");
    third.signalAll("SIGINT");
    await third.line((line) => line.event === "message");
    third.signalAll("SIGINT");
    await stopped(third);

    const fourth = start(experiment, "resume");
    await fourth.line(stageEvent("finetune", "running"));
    const stop = await btx(["stop"], { cwd: folder });
    expect([stop.code, stop.stdout], said(stop)).toEqual([
      0,
      expect.stringMatching(/^run \S+ has stopped; continue with/),
    ]);
    await stopped(fourth);
    const again = await btx(["stop"], { cwd: folder });
    expect([again.code, again.stdout], said(again)).toEqual([0, expect.stringMatching(/^run \S+ is not running\n$/)]);

    await btxSummary(["resume"], { cwd: folder });
    expect(runBits(root, newestRun(root))).toEqual(expected);
  });

  it("lets a stage that was started by nobody's runner work, and stops it by the file in its folder", async () => {
    // Longer, for `btx stop` takes a while to start.
    const long: Sections = { ...sections, seed: "{tokens: 64000}" };
    const [reference, experiment] = [tinyExperiment(long), tinyExperiment(long)];
    await btxSummary(["run", reference.file, "--stage", "seed"]);
    const { folder, root } = experiment;
    const first = start(experiment, "run");
    await first.line(stageEvent("seed", "running"));
    first.signalAll("SIGINT");
    expect((await first.ended).code).toBe(3);
    const run = newestRun(root);
    const paths = stagePaths(root, keyOf(experiment, "seed"));
    const asked = { threads: 1, device: { engine: "onnx", device: "cpu" }, name: "a CPU", why: "a test asks for it" };
    const startAlone = (extra: Record<string, string> = env) => {
      const child = spawn(node, [stageProgram, root, run, "seed", JSON.stringify(asked)], {
        detached: true,
        stdio: "ignore",
        env: { ...process.env, ...extra },
      });
      return new Promise<number | null>((resolve) => child.once("close", resolve));
    };

    const alone = startAlone();
    await trains(experiment, "seed");
    expect(lockHolder(paths.folder)).not.toHaveProperty("runner");
    writeFileSync(paths.stop, "");
    expect(await alone).toBe(3);
    expect(readStageRecord(root, keyOf(experiment, "seed"))?.status).toBe("stopped");
    expect([existsSync(paths.state), existsSync(paths.stop)]).toEqual([true, false]);

    // The request is gone with the process that heeded it: the next one goes on, until the run is stopped.
    const again = startAlone();
    await trains(experiment, "seed");
    const stop = await btx(["stop"], { cwd: folder });
    expect([stop.code, stop.stdout], said(stop)).toEqual([0, expect.stringMatching(/has stopped; continue with/)]);
    expect(await again).toBe(3);
    expect(existsSync(paths.stop)).toBe(false);

    expect(await startAlone({})).toBe(0);
    expect(runBits(root, run).seed).toEqual(runBits(reference.root, newestRun(reference.root)).seed);
  });
});
