import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseSealed } from "../../../../server/disk/seal.ts";
import { routerBiasName } from "../../../../server/parameters/names.ts";
import { StopRequested, UserError } from "../../../../server/protocol/errors.ts";
import type { ModelConfig, RouterConfig } from "../../../../server/protocol/model.ts";
import { routingIndexSchema } from "../../../../server/protocol/routingFiles.ts";
import type { ParameterGroup, Phase } from "../../../../server/protocol/stage.ts";
import { train } from "../../../../server/stages/training/train.ts";
import { contextOf, savedModel, temporaryFolder, tiny, training, untrained } from "../support.ts";
import { bytesOf, metrics, metricsCount, timeless, twoDomains } from "./support.ts";

const mixtureOf = (router: RouterConfig): ModelConfig => ({
  ...tiny,
  moe: { experts: ["x", "y", "z"], layers: [0, 1], router },
});
const phaseOf = (steps: number, freeze?: ParameterGroup[], rest: Partial<typeof training> = {}): Phase => ({
  tokens: steps * 4 * 16,
  mixture: { letters: 2, digits: 1 },
  training: { ...training, ...rest, ...(freeze ? { freeze } : {}) },
});
const steps = 5;
const data = twoDomains();

/** Trains to the end, in one go or stopped after some steps. */
async function trained(config: ModelConfig, phases: Phase[], stops: number[] = []) {
  const folder = temporaryFolder();
  const job = { config, initial: async () => untrained(config, 1), phases, randomSeed: 3 };
  const spec = { kind: "finetune" as const, randomSeed: 3, phases };
  const parents = { data: await data };
  for (const stopAfter of stops) {
    let breaths = metricsCount(folder);
    const context = contextOf(spec, { parents, folder, stopRequested: () => ++breaths >= stopAfter });
    await expect(train(context, job)).rejects.toBeInstanceOf(StopRequested);
    expect(metricsCount(folder)).toBe(stopAfter);
  }
  const context = contextOf(spec, { parents, folder });
  const { tokensPerSecond: _, ...result } = await train(context, job);
  return { folder, context, result };
}

const files = [
  "checkpoint/model.safetensors",
  "checkpoint/config.json",
  "routing.f32",
  "routing.json",
  "routing-pairs.f32",
  "routing-pairs.json",
  "routing-probe.f32",
  "routing-probe.json",
  "routing-probe-detail.f32",
  "routing-probe-detail.json",
];

test.each<[string, RouterConfig, Phase[]]>([
  [
    "routers balanced by biases, phases that freeze differently",
    { type: "top-k", k: 2, loadBalance: 0, balance: "bias", biasRate: 0.02 },
    [phaseOf(3, ["experts"]), phaseOf(3, ["router", "attention"])],
  ],
  [
    "routers that draw, balancing over the batch in micro-batches",
    { type: "sample-top-1", temperatureRate: 2, minTemperature: 0.5, loadBalance: 0.1, balanceOver: "batch" },
    [phaseOf(3, undefined, { microBatch: 2 }), phaseOf(3, ["embeddings"], { microBatch: 1 })],
  ],
  [
    "routers with a capacity",
    { type: "switch", capacity: 0.75, loadBalance: 0.01, balance: "switch" },
    [phaseOf(3, ["experts"]), phaseOf(3)],
  ],
])("stopped after any step and resumed gives the same bits: %s", async (_, router, phases) => {
  const config = mixtureOf(router);
  const whole = await trained(config, phases);
  // In the first phase, at its end, in the second, after the last step.
  const resumed = await trained(config, phases, [1, 3, 4, 6]);
  expect(bytesOf(resumed.folder, ...files)).toEqual(bytesOf(whole.folder, ...files));
  expect(metrics(resumed.folder).map(timeless)).toEqual(metrics(whole.folder).map(timeless));
  expect(resumed.result).toEqual(whole.result);
});

test.each([
  "metrics.jsonl",
  "routing.f32",
  "routing-pairs.f32",
  "routing-probe.f32",
  "routing-probe-detail.f32",
  "state.safetensors",
])("a flipped bit in %s of a stopped training is noticed when it is resumed", async (name) => {
  const config = mixtureOf({ type: "top-k", k: 2, loadBalance: 0 });
  const job = { config, initial: async () => untrained(config, 1), phases: [phaseOf(3)], randomSeed: 3 };
  const spec = { kind: "finetune" as const, randomSeed: 3, phases: job.phases };
  const around = { parents: { data: await data }, folder: temporaryFolder() };
  let breaths = 0;
  const stopping = contextOf(spec, { ...around, stopRequested: () => ++breaths === 2 });
  await expect(train(stopping, job)).rejects.toBeInstanceOf(StopRequested);
  const path = join(around.folder, name);
  const good = readFileSync(path);
  for (const [place, bit] of [
    [0.02, 0],
    [0.5, 3],
    [0.9, 7],
  ] as const) {
    const bytes = Buffer.from(good);
    bytes[Math.floor(place * bytes.length)]! ^= 1 << bit;
    writeFileSync(path, bytes);
    const failure = await train(contextOf(spec, around), job).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as UserError).message).toContain(path);
    writeFileSync(path, good);
  }
  await train(contextOf(spec, around), job);
});

test("biases are in the checkpoint, where the steps have moved them", async () => {
  const rate = 1 / 64;
  const config = mixtureOf({ type: "top-k", k: 2, loadBalance: 0, balance: "bias", biasRate: rate });
  const { folder, context } = await trained(config, [phaseOf(steps)]);
  const { tensors } = await savedModel(context);
  // One record a step [statistic, layer, domain, expert], routedTokens first.
  const [bytes] = bytesOf(folder, "routing.f32");
  const records = new Float32Array(new Uint8Array(bytes!).buffer);
  const record = records.length / steps;
  for (const layer of [0, 1]) {
    const expected = [0, 0, 0];
    for (let step = 0; step < steps; step++) {
      const counts = [0, 1, 2].map((e) => {
        const at = step * record + layer * 2 * 3 + e;
        return records[at]! + records[at + 3]!;
      });
      const mean = counts.reduce((a, b) => a + b) / 3;
      counts.forEach((count, e) => {
        expected[e]! += rate * Math.sign(mean - count);
      });
    }
    expect([...tensors.get(routerBiasName(layer))!.data]).toEqual(expected);
    expect(expected.some((bias) => bias !== 0)).toBe(true);
  }
});

test("the share of dropped tokens is reported each step where routers have a capacity, and only there", async () => {
  const { folder } = await trained(mixtureOf({ type: "switch", capacity: 0.5, loadBalance: 0 }), [phaseOf(steps)]);
  const lines = metrics(folder);
  const index = parseSealed(
    readFileSync(`${folder}/routing.json`, "utf8"),
    routingIndexSchema,
    `${folder}/routing.json`,
  );
  expect(index.statistics).toEqual(["routedTokens", "gateMass", "probability", "droppedTokens"]);
  const [bytes] = bytesOf(folder, "routing.f32");
  const records = new Float32Array(new Uint8Array(bytes!).buffer);
  const size = 2 * 2 * 3;
  lines.forEach(({ droppedShare }, step) => {
    // Then tokens and entropy [layer, domain].
    const at = step * (4 * size + 2 * 2 * 2);
    const sum = (start: number) => records.slice(start, start + size).reduce((a, b) => a + b);
    const [routed, dropped] = [sum(at), sum(at + 3 * size)];
    expect(routed + dropped).toBe(2 * 4 * 16);
    expect(droppedShare).toBe(dropped / (2 * 4 * 16));
    // Half of the even share has room for half of the tokens, a little more by rounding up.
    expect(droppedShare).toBeGreaterThan(0.4);
  });
  const unlimited = await trained(mixtureOf({ type: "top-k", k: 2, loadBalance: 0 }), [phaseOf(1)]);
  expect(metrics(unlimited.folder)[0]).not.toHaveProperty("droppedShare");
});
