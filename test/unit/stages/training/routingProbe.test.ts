import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseSealed } from "../../../../server/disk/seal.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import { routingProbeDetailIndexSchema, routingProbeIndexSchema } from "../../../../server/protocol/routingFiles.ts";
import { histogramBins } from "../../../../server/protocol/routingStatistics.ts";
import { probeDetailLayout, probeLayout } from "../../../../server/routing/records.ts";
import { type StagePaths, stagePathsIn } from "../../../../server/runs/layout.ts";
import { evaluate } from "../../../../server/stages/evaluate.ts";
import type { Parameters } from "../../../../server/stages/model.ts";
import { train } from "../../../../server/stages/training/train.ts";
import { referenceLogits } from "../../model/reference.ts";
import { slowVocabulary } from "../../routing/slowVocabulary.ts";
import { heldOut } from "../evaluationSupport.ts";
import {
  contextOf,
  randomModel,
  savedModel,
  stageWithModel,
  temporaryFolder,
  tiny,
  toWeights,
  training,
} from "../support.ts";
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

/** The evaluation of a window of each domain, the one that is probed. */
async function evaluation(parameters: Parameters) {
  const spec = { kind: "evaluate" as const, domains, tokens: config.context, batch: 1, answers: 0 };
  const model = await stageWithModel(config, parameters);
  const context = contextOf(spec, { parents: { data: await data, model } });
  const { routing } = await evaluate(context);
  return { routing: routing!, paths: context.paths };
}

/** How many of the evaluated tokens of each domain choose each expert, [domain][layer][expert]. */
async function evaluated(parameters: Parameters): Promise<number[][][]> {
  const { routing } = await evaluation(parameters);
  return domains.map((_, domain) => routing.routedTokens.map((layer) => layer.map((expert) => expert[domain]!)));
}

const floats = (path: string) => new Float32Array(new Uint8Array(readFileSync(path)).buffer);

/** The records of `routing-probe-detail.f32`, each cut into its statistics. */
function detailOf(paths: StagePaths) {
  const index = parseSealed(
    readFileSync(paths.routingProbeDetailIndex, "utf8"),
    routingProbeDetailIndexSchema,
    paths.routingProbeDetailIndex,
  );
  const [values, size] = [floats(paths.routingProbeDetail), probeDetailLayout(index).size];
  const records = Array.from({ length: values.length / size }, (_, at) => {
    const record = values.subarray(at * size, (at + 1) * size);
    const [input, predicted] = [size - 2 * L * rows * E, size - L * rows * E];
    return {
      histogram: [...record.subarray(0, input)],
      input: [...record.subarray(input, predicted)],
      predicted: [...record.subarray(predicted)],
    };
  });
  return { index, records };
}

const [L, E, rows] = [2, 3, domains.length + 1];

/** A record of what is measured of the probed window of each domain, token by token in plain loops. */
async function slowDetail(parameters: Parameters) {
  const histogram: number[] = Array(domains.length * L * E * histogramBins).fill(0);
  const places: { domain: number; layer: number; input: number; predicted: number; gates: number[] }[] = [];
  for (const [domain, name] of domains.entries()) {
    const ids = (await heldOut(await data, name)).slice(0, config.context);
    const routed: { layer: number; token: number; gates: number[] }[] = [];
    const scores = referenceLogits(toWeights(parameters), ids, config, undefined, (layer, token, softmax, gates) => {
      routed.push({ layer, token, gates });
      for (const [expert, p] of softmax.entries())
        histogram[((domain * L + layer) * E + expert) * histogramBins + Math.min(9, Math.floor(p * 10))]! += 1;
    });
    for (const { layer, token, gates } of routed) {
      const predicted = scores[token]!.indexOf(Math.max(...scores[token]!));
      places.push({ domain, layer, input: ids[token]!, predicted, gates });
    }
  }
  const vocabulary = (of: "input" | "predicted") =>
    Array.from({ length: L * rows * E }, (_, at) => {
      const [layer, row, expert] = [Math.floor(at / (rows * E)), Math.floor(at / E) % rows, at % E];
      const own = places.filter((one) => one.layer === layer && (row === domains.length || one.domain === row));
      return slowVocabulary(own.map(({ gates, ...ids }) => ({ id: ids[of], chose: gates[expert]! > 0 })));
    });
  return { histogram, input: vocabulary("input"), predicted: vocabulary("predicted") };
}

test("training is probed before it, after every few steps and after the last one, on the same held-out tokens", async () => {
  const { paths, initial, final } = await probed(config, 85, 1e-2);
  const index = parseSealed(
    readFileSync(paths.routingProbeIndex, "utf8"),
    routingProbeIndexSchema,
    paths.routingProbeIndex,
  );
  const { tokens, every, k } = index;
  // Two windows of 16 tokens against steps of 64: a hundredth of three times as much.
  expect([every, k]).toEqual([17, 2]);
  expect(tokens).toEqual([16, 16]);
  const values = floats(paths.routingProbe);
  const { size } = probeLayout(index);
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

test("each probe has the histograms and the vocabulary specialisation that a slow count gives", async () => {
  const { paths, initial, final } = await probed(config, 85, 1e-2);
  const { index, records } = detailOf(paths);
  expect(index).toEqual({
    version: 1,
    statistics: ["histogram", "vocabularyInput", "vocabularyPredicted"],
    layers: [0, 1],
    experts: ["x", "y", "z"],
    domains,
    every: 17,
  });
  expect(records).toHaveLength(6);
  for (const [record, parameters] of [
    [records[0]!, initial()],
    [records.at(-1)!, final as Parameters],
  ] as const) {
    const slow = await slowDetail(parameters);
    expect(record.histogram).toEqual(slow.histogram);
    for (const of of ["input", "predicted"] as const) {
      for (const [at, value] of slow[of].entries()) expect(record[of][at]).toBeCloseTo(value, 6);
      expect(record[of].some((value) => value > 0 && value < 1)).toBe(true);
    }
  }
  expect(records[0]).not.toEqual(records.at(-1));
});

test("a probe measures of its window what an evaluation of it does", async () => {
  const { paths, final } = await probed(config, 11, 1e-2);
  const last = detailOf(paths).records.at(-1)!;
  const { routing, paths: evaluationPaths } = await evaluation(final as Parameters);
  const details = floats(evaluationPaths.routingDetail);
  const [size, histogram] = [details.length / domains.length, L * E * histogramBins];
  expect(last.histogram).toEqual(
    domains.flatMap((_, domain) => [...details.subarray((domain + 1) * size - histogram, (domain + 1) * size)]),
  );
  for (const of of ["input", "predicted"] as const)
    expect(last[of]).toEqual(
      routing.vocabulary![of].flatMap((layer) =>
        Array.from({ length: rows }, (_, row) => layer.map((expert) => Math.fround(expert[row]!))).flat(),
      ),
    );
});

test("the last step has a probe where it ends no interval, and a dense model has none", async () => {
  const { paths } = await probed(config, 19, 1e-2);
  const { size } = probeLayout(JSON.parse(readFileSync(paths.routingProbeIndex, "utf8")));
  expect(readFileSync(paths.routingProbe).length / 4 / size).toBe(3);
  expect(detailOf(paths).records).toHaveLength(3);
  const dense = await probed(tiny, 2, 1e-2);
  expect(existsSync(dense.paths.routingProbeIndex)).toBe(false);
  expect(existsSync(dense.paths.routingProbeDetailIndex)).toBe(false);
});
