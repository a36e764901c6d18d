import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import { probeSize, routingProbeIndexSchema } from "../../../../server/protocol/routingFiles.ts";
import { stagePathsIn } from "../../../../server/runs/layout.ts";
import { evaluate } from "../../../../server/stages/evaluate.ts";
import type { Parameters } from "../../../../server/stages/model.ts";
import { train } from "../../../../server/stages/training/loop.ts";
import { contextOf, randomModel, savedModel, stageWithModel, temporaryFolder, tiny, training } from "../support.ts";
import { twoDomains } from "./support.ts";

const config: ModelConfig = {
  ...tiny,
  moe: { experts: ["x", "y", "z"], layers: [0, 1], router: { type: "top-k", k: 2, loadBalance: 0 } },
};
const domains = ["letters", "digits"];
const data = twoDomains();

async function probed(model: ModelConfig, steps: number, learningRate: number) {
  const folder = temporaryFolder();
  // Each time another one: training changes it.
  const initial = () => randomModel(model, 4);
  const phases = [
    { tokens: steps * 4 * 16, mixture: { letters: 2, digits: 1 }, training: { ...training, learningRate } },
  ];
  const spec = { kind: "finetune" as const, randomSeed: 3, phases };
  const context = contextOf(spec, { parents: { data: await data }, folder });
  await train(context, { config: model, initial: async () => initial(), phases, randomSeed: 3 });
  return { paths: stagePathsIn(folder), initial, final: (await savedModel(context)).tensors };
}

/** How many of the evaluated tokens of each domain choose each expert, [domain][layer][expert]; a window of each. */
async function evaluated(parameters: Parameters): Promise<number[][][]> {
  const spec = { kind: "evaluate" as const, domains, tokens: config.context, batch: 1, answers: 0 };
  const model = await stageWithModel(config, parameters);
  const { routing } = await evaluate(contextOf(spec, { parents: { data: await data, model } }));
  return domains.map((_, domain) => routing!.routedTokens.map((layer) => layer.map((expert) => expert[domain]!)));
}

test("training is probed before it, after every few steps and after the last one, on the same held-out tokens", async () => {
  const { paths, initial, final } = await probed(config, 45, 1e-2);
  const index = routingProbeIndexSchema.parse(JSON.parse(readFileSync(paths.routingProbeIndex, "utf8")));
  const { tokens, every, k } = index;
  // Two windows of 16 tokens against steps of 64: a fiftieth of three times as much.
  expect([every, k]).toEqual([9, 2]);
  expect(tokens).toEqual([16, 16]);
  const values = new Float32Array(new Uint8Array(readFileSync(paths.routingProbe)).buffer);
  const size = probeSize(index);
  const records = Array.from({ length: values.length / size }, (_, at) => [
    ...values.slice(at * size, (at + 1) * size),
  ]);
  expect(records).toHaveLength(6);
  const counts = (record: number[]) =>
    domains.map((_, domain) =>
      [0, 1].map((layer) => {
        const start = (domain * 2 + layer) * 16 * 2;
        return [0, 1, 2].map((expert) => record.slice(start, start + 32).filter((one) => one === expert).length);
      }),
    );
  expect(counts(records[0]!)).toEqual(await evaluated(initial()));
  expect(counts(records.at(-1)!)).toEqual(await evaluated(final as Parameters));
  expect(records[0]).not.toEqual(records.at(-1));
});

test("the last step has a probe where it ends no interval, and a dense model has none", async () => {
  const { paths } = await probed(config, 11, 1e-2);
  const size = probeSize(JSON.parse(readFileSync(paths.routingProbeIndex, "utf8")));
  expect(readFileSync(paths.routingProbe).length / 4 / size).toBe(3);
  const dense = await probed(tiny, 2, 1e-2);
  expect(existsSync(dense.paths.routingProbeIndex)).toBe(false);
});
