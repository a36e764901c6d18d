import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runPaths } from "../../server/runs/layout.ts";
import { btx, btxSummary, said, startBtx } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, readStageRecord } from "./results.ts";
import { finishedExperiment, tinyExperiment } from "./scratch.ts";

const losses = (root: string, key: string): number[] => readMetrics(root, key).map(({ loss }) => loss);

const recordOf = (root: string, stage: string) => {
  const { key } = readRunRecord(root, newestRun(root)).stages.find(({ name }) => name === stage)!;
  return { key, record: readStageRecord(root, key)! };
};

describe("the engine tfjs", () => {
  it("trains the seed with the losses of onnx, under the same key, and the record says that it did", async () => {
    const { root, file } = tinyExperiment({ engine: "tfjs" });
    await btxSummary(["run", file, "--stage", "seed", "--device", "cpu"]);
    const { key, record } = recordOf(root, "seed");
    expect(record).toMatchObject({ engine: "tfjs", device: "cpu", why: "as requested" });
    expect(readRunRecord(root, newestRun(root)).compute).toEqual({ engine: "tfjs", devices: ["cpu"] });
    const finished = finishedExperiment();
    const [found, expected] = [losses(root, key), losses(finished.root, recordOf(finished.root, "seed").key)];
    expect(recordOf(finished.root, "seed").record).toMatchObject({ engine: "onnx", device: "cpu" });
    expect(found).toHaveLength(expected.length);
    found.forEach((loss, step) => {
      expect(Math.abs(loss - expected[step]!), `step ${step + 1}`).toBeLessThan(1e-3 * expected[step]!);
    });
  });

  it("may give a stage up to onnx in mid-training: the record tells both", async () => {
    const { root, file } = tinyExperiment();
    const env = { BTX_CHECKPOINT_SECONDS: "0" };
    const started = startBtx(["run", file, "--stage", "seed", "--engine", "tfjs", "--json"], { env });
    await started.line((line) => line.event === "progress" && line.stage === "seed" && line.step > 1);
    started.process.kill("SIGINT");
    expect((await started.ended).code).toBe(3);
    expect(recordOf(root, "seed").record.ranOn).toBeUndefined();
    const graphs = join(root, "graphs.txt");
    await btxSummary(["resume", runPaths(root, newestRun(root)).folder, "--engine", "onnx"], {
      env: { BTX_GRAPH: graphs },
    });
    const { record } = recordOf(root, "seed");
    expect(record).toMatchObject({ status: "done", engine: "onnx" });
    expect(record.ranOn!.map(({ engine, device }) => [engine, device])).toEqual([
      ["tfjs", "cpu"],
      ["onnx", "cpu"],
    ]);
    // The stage's process compiled it, with ONNX Runtime only.
    expect(readFileSync(graphs, "utf8").match(/^program .*$/gm)).toEqual(["program trainStep"]);
  });
});

describe("a device that is not there", () => {
  it.each([
    [
      ["--device", "cuda:15"],
      /^btx: (there is no device "cuda:15" on this machine: `devices` can name cpu|the device cuda:15 cannot)/,
    ],
    [
      ["--device", "tfjs-node"],
      /^btx: the device tfjs-node cannot be used: libtensorflow is not installed: btx engines /,
    ],
    [["--device", "gpu"], /^btx: --device takes a device that `btx devices` lists, not "gpu"\n$/],
    [["--engine", "torch"], /^btx: --engine takes auto, onnx, tfjs, not "torch"\n$/],
  ])("is refused before anything is made: %j", async (options, sentence) => {
    const { root, file } = tinyExperiment();
    const ended = await btx(["run", file, ...options]);
    expect(ended.code, said(ended)).toBe(2);
    expect(ended.stderr).toMatch(sentence);
    expect(existsSync(root)).toBe(false);
  });

  it("is named by the file as by the command", async () => {
    const { root, file } = tinyExperiment({ devices: "[cuda:15]" });
    const ended = await btx(["run", file]);
    expect([ended.code, existsSync(root)]).toEqual([2, false]);
    expect(ended.stderr).toContain("cuda:15");
  });

  it("of another engine is told with line and column", async () => {
    const { file } = tinyExperiment({ engine: "onnx", devices: "[cpu, tfjs-node]" });
    const ended = await btx(["check", file]);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toMatch(
      /:\d+:\d+: error: `tfjs-node` is a device of the engine `tfjs`: set `engine: tfjs`, or name another device\n/,
    );
  });
});
