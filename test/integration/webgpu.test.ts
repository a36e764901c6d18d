import { readFileSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseSealed } from "../../server/disk/seal.ts";
import { routingProbeDetailIndexSchema } from "../../server/protocol/routingFiles.ts";
import { probeDetailLayout } from "../../server/routing/records.ts";
import { runPaths, stagePaths } from "../../server/runs/layout.ts";
import { noWebGpu, webGpuEnv } from "../fixtures/swiftShader.ts";
import { btxSummary, startBtx } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, readStageRecord } from "./results.ts";
import { copyOfFinished, finishedExperiment } from "./scratch.ts";

const keyOf = (root: string, stage: string): string =>
  readRunRecord(root, newestRun(root)).stages.find(({ name }) => name === stage)!.key;

/** The records of what training probed. */
function probeDetail(root: string, key: string): Float32Array[] {
  const { routingProbeDetail, routingProbeDetailIndex } = stagePaths(root, key);
  const { size } = probeDetailLayout(
    parseSealed(readFileSync(routingProbeDetailIndex, "utf8"), routingProbeDetailIndexSchema, routingProbeDetailIndex),
  );
  const values = new Float32Array(new Uint8Array(readFileSync(routingProbeDetail)).buffer);
  return Array.from({ length: values.length / size }, (_, at) => values.subarray(at * size, (at + 1) * size));
}

describe.skipIf(noWebGpu)("on WebGPU", { timeout: 300_000 }, () => {
  it("a mixture is finetuned with the losses of the CPU, though it is killed and resumed, and is evaluated like there", async () => {
    const finished = finishedExperiment();
    const { file, root } = copyOfFinished();
    const [training, evaluation] = [keyOf(root, "finetune"), keyOf(root, "evaluate:finetune")];
    for (const key of [training, evaluation]) rmSync(stagePaths(root, key).folder, { recursive: true });

    const env = { ...webGpuEnv, BTX_CHECKPOINT_SECONDS: "0" };
    const killed = startBtx(["run", file, "--device", "webgpu", "--json"], { env });
    await killed.line((line) => line.event === "progress" && line.stage === "finetune" && line.step > 2);
    killed.signalAll("SIGKILL");
    await killed.ended;
    const before = readMetrics(root, training).length;
    await btxSummary(["resume", runPaths(root, newestRun(root)).folder, "--device", "webgpu"], { env });

    const [found, expected] = [root, finished.root].map((folder) =>
      readMetrics(folder, training).map(({ loss }) => loss),
    );
    expect(before).toBeGreaterThan(1);
    expect(before).toBeLessThan(expected!.length);
    expect(found).toHaveLength(expected!.length);
    found!.forEach((loss, step) => {
      expect(Math.abs(loss - expected![step]!), `step ${step + 1}`).toBeLessThan(1e-3 * expected![step]!);
    });
    // Before training both have the same weights: what is probed of them differs by rounding alone.
    const [probed, probedThere] = [root, finished.root].map((folder) => probeDetail(folder, training));
    expect(probed).toHaveLength(probedThere!.length);
    expect(probedThere!.length).toBeGreaterThanOrEqual(2);
    expect(Math.max(...probed![0]!)).toBeGreaterThan(1);
    const differences = probed![0]!.filter((value, at) => Math.abs(value - probedThere![0]![at]!) > 0.02);
    expect(differences.length).toBeLessThan(0.02 * probed![0]!.length);
    for (const key of [training, evaluation])
      expect(readStageRecord(root, key)).toMatchObject({ status: "done", engine: "onnx", device: "webgpu" });
    const losses = [root, finished.root].map((folder) => readStageRecord(folder, evaluation)!.result!.losses!);
    for (const [domain, { nats, tokens }] of Object.entries(losses[1]!)) {
      expect(losses[0]![domain]!.tokens).toBe(tokens);
      expect(Math.abs(losses[0]![domain]!.nats - nats) / nats, domain).toBeLessThan(1e-3);
    }
  });
});
