import { beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import type { Device } from "../../server/protocol/devices.ts";
import { noTensorFlow, testEngines } from "../fixtures/tensorflow.ts";
import { btx, btxSummary, said } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, readStageRecord } from "./results.ts";
import { finishedExperiment, tinyExperiment } from "./scratch.ts";

if (noTensorFlow) console.warn(`tests on TensorFlow are left out: ${noTensorFlow}`);

/** What every stage of a run came to, by name: its losses in training and by domain, in one list. */
const stagesOf = (root: string) =>
  Object.fromEntries(
    readRunRecord(root, newestRun(root)).stages.map(({ name, key }) => {
      const record = readStageRecord(root, key)!;
      const heldOut = Object.values(record.result?.losses ?? {}).map(({ nats }) => nats);
      return [name, { key, record, losses: [...readMetrics(root, key).map(({ loss }) => loss), ...heldOut] }];
    }),
  );

describe.skipIf(noTensorFlow !== undefined)("TensorFlow, installed on demand", () => {
  const env = { BTX_ENGINES: testEngines };

  let unreachable = false;
  const leaveOut = ({ skip }: TestContext) => skip(unreachable, "TensorFlow's index cannot be reached");

  beforeAll(async () => {
    const installed = await btx(["engines", "install", "tfjs-node"], { env });
    unreachable = installed.stderr.includes("cannot be reached");
    if (unreachable) return;
    expect(installed.code, said(installed)).toBe(0);
    expect(installed.stdout).toMatch(/^tfjs-node \S+ is installed in .*\n$/);
  }, 600_000);

  beforeEach(leaveOut);

  it("is a device that can be used", async () => {
    const { stdout } = await btx(["devices", "--json"], { env });
    const devices: Device[] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(devices.find(({ device }) => device === "tfjs-node")).toMatchObject({ engine: "tfjs", usable: true });
  });

  it("is what `--engine tfjs` takes, and trains, mixes, finetunes and evaluates as ONNX Runtime does", async () => {
    const { root, file } = tinyExperiment();
    await btxSummary(["run", file, "--engine", "tfjs", "--stage", "evaluate:finetune"], { env });
    const [found, all] = [stagesOf(root), stagesOf(finishedExperiment().root)];
    const names = ["data", "seed", "expert:words", "expert:sums", "mix", "finetune", "evaluate:finetune"];
    expect(Object.keys(found).sort()).toEqual(names.toSorted());
    expect(found.finetune!.record).toMatchObject({ engine: "tfjs", device: "tfjs-node" });
    const expected = Object.fromEntries(names.map((name) => [name, all[name]!]));
    for (const [name, { key, losses }] of Object.entries(expected)) {
      expect(found[name]).toMatchObject({ key, record: { status: "done" } });
      expect(found[name]!.losses).toHaveLength(losses.length);
      for (const [at, loss] of losses.entries())
        expect(Math.abs(found[name]!.losses[at]! - loss), `${name}, ${at}`).toBeLessThan(1e-4 * loss);
    }
    expect(Object.values(expected).flatMap(({ losses }) => losses).length).toBeGreaterThan(50);
  });
});
