import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { runsFolder } from "../../server/runs/layout.ts";
import { btx, btxSummary, node, program, said, stageEvent, startBtx, until } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, readStageRecord, runBits } from "./results.ts";
import { finishedExperiment, scratchFolder, tinyExperiment } from "./scratch.ts";

/** `btx` under a limit of the shell, such as `-f 8`: no file larger than 8 kB. */
const limited = (limit: string, args: string[], cwd: string) =>
  spawnSync("bash", ["-c", `ulimit ${limit}; exec "$@"`, "btx", node, program, ...args], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", BTX_ENGINES: "/nowhere" },
  });

describe.skipIf(process.platform === "win32")("a limit of the system", () => {
  it("on the size of files ends a run with one sentence, and without it the run is resumed", async () => {
    const { file, folder, root } = tinyExperiment({ compare: undefined });
    const { status, stdout, stderr } = limited("-f 8", ["run", file, "--json"], folder);
    expect(status).toBe(1);
    expect(stdout).toMatch(/has reached the largest size that its file system or `ulimit -f` allows: raise the limit/);
    expect(stdout).not.toContain(".tmp-");
    expect(stdout + stderr).not.toMatch(/^ +at |EFBIG/m);
    await btxSummary(["resume", "--in", folder]);
    const finished = finishedExperiment();
    const expected = runBits(finished.root, newestRun(finished.root));
    for (const [stage, bits] of Object.entries(runBits(root, newestRun(root))))
      expect(bits, stage).toEqual(expected[stage]);
  });

  it("on open files is named with the limit to raise", () => {
    const { file, folder } = tinyExperiment({ compare: undefined });
    const { status, stdout, stderr } = limited("-n 27", ["run", file, "--json"], folder);
    expect(status).toBe(1);
    expect(stdout + stderr).toMatch(/too many files open: raise the limit \(`ulimit -n`\)/);
    expect(stdout + stderr).not.toMatch(/^ +at |EMFILE/m);
  });
});

describe.skipIf(process.getuid?.() !== 0)("what may not be read", () => {
  const nobody = { uid: 65_534 };
  const checked = async (change: (folder: string) => void) => {
    const { file, folder } = tinyExperiment();
    // The folders of tests are their owner's alone.
    for (let above = folder; above !== tmpdir(); above = dirname(above)) chmodSync(above, 0o755);
    change(folder);
    const { code, stdout } = await btx(["check", file], nobody);
    return { code, stdout, folder };
  };

  it("is never taken for what is not there: a folder of texts", async () => {
    const { code, stdout, folder } = await checked((at) => chmodSync(join(at, "words"), 0));
    expect(code).toBe(2);
    expect(stdout).toMatch(`no permission to read ${join(folder, "words")}: change its permissions`);
  });

  it("is never left out in silence: a text in a folder of texts", async () => {
    const { code, stdout, folder } = await checked((at) => {
      const text = readFileSync(join(at, "tiny.btx.yaml"), "utf8");
      writeFileSync(join(at, "tiny.btx.yaml"), text.replace("words/*.txt", "words"));
      chmodSync(join(at, "words", readdirSync(join(at, "words"))[0]!), 0);
    });
    expect(code).toBe(2);
    expect(stdout).toMatch(`no permission to read ${join(folder, "words")}`);
  });
});

describe("a run folder", () => {
  it("that is moved while its run goes on ends it with sentences, and put back it is resumed", async () => {
    const { file, folder, root } = tinyExperiment({ compare: undefined, seed: "{tokens: 320000}" });
    const command = startBtx(["run", file, "--json"], { env: { BTX_CHECKPOINT_SECONDS: "0" } });
    onTestFinished(() => command.signalAll("SIGKILL"));
    await command.line(stageEvent("seed", "running"));
    const id = newestRun(root);
    const seed = readRunRecord(root, id).stages.find(({ name }) => name === "seed")!.key;
    await until("the seed trains", () => readMetrics(root, seed).length > 5);
    renameSync(root, `${root}-moved`);
    const ended = await command.ended;
    expect(ended.code, said(ended)).toBe(1);
    const text = ended.stdout + ended.stderr;
    expect(text).toMatch(/removed or moved.*: put (it|the folder) back, then continue with `btx resume`/);
    expect(text).not.toMatch(/^ +at |ENOENT/m);
    expect(existsSync(root)).toBe(false);
    renameSync(`${root}-moved`, root);
    const stopped = startBtx(["resume", "--in", folder, "--json"]);
    await stopped.line(stageEvent("seed", "running"));
    stopped.signalAll("SIGINT");
    expect((await stopped.ended).code).toBe(3);
    const steps = readMetrics(root, seed).map(({ step }) => step);
    expect(steps).toEqual(steps.map((_, i) => i + 1));
  });

  it("in a folder that may not be written, or whose name is a file's, is refused with one sentence", async () => {
    const { file, root } = tinyExperiment({ compare: undefined });
    writeFileSync(root, "a file");
    const ended = await btx(["run", file]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /^btx: .*\.btx.* cannot be used, because a part of its path is a file: move that file away\n$/m,
    );
    expect(existsSync(runsFolder(root))).toBe(false);
  });
});

describe("a clock that is set back an hour while a run goes on", () => {
  it("does not change how long its stages and the run took", async () => {
    const { file, root } = tinyExperiment({ compare: undefined });
    const preload = fileURLToPath(new URL("clockSetBack.mjs", import.meta.url));
    const clock = join(scratchFolder(), "set-back");
    const env = { NODE_OPTIONS: `--import=${preload}`, BTX_TEST_CLOCK: clock };
    const command = startBtx(["run", file, "--json"], { env });
    onTestFinished(() => command.signalAll("SIGKILL"));
    await command.line(stageEvent("data", "done"));
    writeFileSync(clock, "");
    const ended = await command.ended;
    expect(ended.code, said(ended)).toBe(0);
    const run = readRunRecord(root, newestRun(root));
    expect(Date.parse(run.finished!)).toBeLessThan(Date.parse(run.created));
    expect(run.seconds).toBeGreaterThan(0);
    for (const { key } of run.stages) expect(readStageRecord(root, key)!.seconds).toBeGreaterThan(0);
    expect(readdirSync(root, { recursive: true, encoding: "utf8" }).some((name) => name.includes(".tmp-"))).toBe(false);
  });
});
