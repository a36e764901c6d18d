import { closeSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { stagePaths } from "../../server/runs/layout.ts";
import { lockHolder } from "../../server/runs/lock.ts";
import { type ExperimentFolder, experimentText } from "../fixtures/experiment.ts";
import { btx, type Ended, said, stageEvent, startBtx } from "./btx.ts";
import { newestRun, peakMemory, readRunRecord } from "./results.ts";
import { copyOfFinished, tinyExperiment } from "./scratch.ts";

const megabyte = 1 << 20;

/** Writes 200 MB without a line end. */
function writeLongLine(path: string, before = "", after = ""): void {
  const file = openSync(path, "w");
  const part = Buffer.alloc(megabyte, "the quick brown fox ");
  writeSync(file, before);
  for (let i = 0; i < 200; i++) writeSync(file, part);
  writeSync(file, after);
  closeSync(file);
}

describe("a corpus that cannot be used ends the run with one sentence that names the file, and loses nothing", () => {
  let experiment: ExperimentFolder;
  let stages: string[];
  beforeAll(() => {
    experiment = copyOfFinished();
    stages = readdirSync(join(experiment.root, "stages"));
  });

  function expectOneSentence(ended: Ended, sentence: string): void {
    expect(ended.code, said(ended)).toBe(1);
    const lines = ended.stderr.split("\n").filter((line) => /^✗|^btx:/.test(line));
    expect(lines, said(ended)).toEqual([expect.stringMatching(/^✗ data {2}[\d.]+ s {2}failed: /)]);
    expect(lines[0]!.split("failed: ")[1]).toBe(sentence);
    expect(ended.stderr).not.toMatch(/^ +at /m);
    // What was finished before is there as it was.
    expect(readdirSync(join(experiment.root, "stages"))).toEqual(expect.arrayContaining(stages));
  }

  it.each([
    ["an empty file", "", 'is empty: remove it, or exclude it with a pattern that begins with "!"'],
    [
      "a binary file",
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2]),
      "is a binary file (NUL at byte 4): exclude it, because only text can be read",
    ],
    [
      "invalid UTF-8",
      Buffer.from("na\u00efve", "latin1"),
      "is not valid UTF-8 at byte 2: save it as UTF-8 or exclude it",
    ],
    ["UTF-16", Buffer.from("\ufeffwords", "utf16le"), "is UTF-16 text: save it as UTF-8"],
  ])("%s", async (_, content, complaint) => {
    const path = join(experiment.folder, "words", "odd.txt");
    writeFileSync(path, content);
    const ended = await btx(["run", experiment.file]);
    rmSync(path);
    expectOneSentence(ended, `${path} ${complaint}`);
  });

  it("a JSON line of 200 MB, in bounded memory", async () => {
    const path = join(experiment.folder, "sums.jsonl");
    writeLongLine(path, '{"question": "', '", "answer": "= 3"}\n');
    const ended = await btx(["run", experiment.file], { env: { NODE_OPTIONS: "--max-old-space-size=300" } });
    rmSync(path);
    expectOneSentence(ended, `line 1 of ${path} is longer than 64 MiB: is it JSON Lines, with one object per line?`);
  });
});

describe("a text of one line of 200 MB", () => {
  it.skipIf(process.platform !== "linux")("becomes tokens in bounded memory", async () => {
    const { file, folder, root } = tinyExperiment();
    const path = join(folder, "words", "long.txt");
    writeFileSync(file, experimentText({ compare: undefined }));
    writeLongLine(path);
    const command = startBtx(["run", file, "--json"]);
    await command.line(stageEvent("data", "running"));
    const data = readRunRecord(root, newestRun(root)).stages[0]!;
    const stage = stagePaths(root, data.key).folder;
    let peak = 0;
    const watch = setInterval(() => {
      const pid = lockHolder(stage)?.pid;
      if (pid !== undefined) peak = Math.max(peak, peakMemory(pid));
    }, 20);
    await command.line(stageEvent("seed", "running"));
    clearInterval(watch);
    command.signalAll("SIGINT");
    expect((await command.ended).code).toBe(3);
    expect(peak).toBeGreaterThan(20 * megabyte);
    expect(peak).toBeLessThan(400 * megabyte);
    const tokens = ["train", "heldout"].map((split) => statSync(join(stage, "words", `${split}.tokens`)).size / 2);
    expect(tokens[0]! + tokens[1]!).toBeGreaterThan(200 * megabyte);
    rmSync(folder, { recursive: true });
  });
});

describe("a run whose corpus was mended", () => {
  it("says that the run must be started again, and a new run goes on", async () => {
    const { file, folder } = tinyExperiment();
    const path = join(folder, "words", "3.txt");
    writeFileSync(path, "");
    expect((await btx(["run", file])).code).toBe(1);
    writeFileSync(path, "branch train mix expert router token of the and .\n");
    const resumed = await btx(["resume"], { cwd: folder });
    expect(resumed.code).toBe(1);
    expect(resumed.stderr).toContain('files of the domain "words" changed after the run was planned: start a new run');
    const again = startBtx(["run", file, "--json"]);
    await again.line(stageEvent("data", "done"));
    again.signalAll("SIGINT");
    expect((await again.ended).code).toBe(3);
  });
});
