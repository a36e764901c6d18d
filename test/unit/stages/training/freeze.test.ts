import { describe, expect, test } from "vitest";
import { openSafetensors } from "../../../../server/checkpoint/safetensors.ts";
import { declaredParameters, parameterShapes, trainedShapes } from "../../../../server/model/parameters.ts";
import { flopsPerToken } from "../../../../server/model/size.ts";
import { StopRequested } from "../../../../server/protocol/errors.ts";
import type { ModelConfig } from "../../../../server/protocol/model.ts";
import type { ParameterGroup, Phase } from "../../../../server/protocol/stage.ts";
import type { Parameters } from "../../../../server/stages/model.ts";
import { train } from "../../../../server/stages/training/train.ts";
import { contextOf, randomModel, savedModel, temporaryFolder, tiny, training } from "../support.ts";
import { metrics, twoDomains } from "./support.ts";

const mixture: ModelConfig = {
  ...tiny,
  layers: 1,
  moe: { experts: ["x", "y", "z"], layers: [0], router: { type: "top-k", k: 2, loadBalance: 0.01 } },
};
/** All that a mixture without dense layers has, but its norms. */
const groups: ParameterGroup[] = ["experts", "attention", "router", "embeddings"];

/** Three steps. */
const phaseOf = (freeze: ParameterGroup[] | undefined, rest: Partial<typeof training> = {}): Phase => ({
  tokens: 3 * 4 * 16,
  mixture: { letters: 1, digits: 1 },
  training: { ...training, ...rest, ...(freeze ? { freeze } : {}) },
});

const data = twoDomains();

/** Trains through the phases; the result, and names of parameters whose bits are the same as before. */
async function trained(config: ModelConfig, phases: Phase[]) {
  const before: Parameters = randomModel(config, 1);
  const copy = async (): Promise<Parameters> =>
    new Map([...before].map(([name, { shape, data: values }]) => [name, { shape, data: values.slice() }]));
  const spec = { kind: "finetune" as const, randomSeed: 3, phases };
  const context = contextOf(spec, { parents: { data: await data } });
  const result = await train(context, { config, initial: copy, phases, randomSeed: 3 });
  const { tensors } = await savedModel(context);
  const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const same = [...before.keys()].filter((name) =>
    bits(tensors.get(name)!.data as Float32Array).equals(bits(before.get(name)!.data)),
  );
  return { result, same, lines: metrics(context.paths.folder) };
}

const namesOf = (config: ModelConfig, ...of: string[]) =>
  declaredParameters(config).flatMap(({ name, group }) => (of.includes(group) ? [name] : []));
const sizeOf = (config: ModelConfig, names: string[]) =>
  names.reduce(
    (sum, name) =>
      sum +
      parameterShapes(config)
        .get(name)!
        .reduce((a, b) => a * b),
    0,
  );

describe("training with frozen groups", () => {
  test.each([
    ...[...groups, "norms" as const].map((group): [string, ParameterGroup[], object] => [group, [group], {}]),
    ["experts, in micro-batches", ["experts"], { microBatch: 2 }],
    ["experts, without clipping", ["experts"], { clip: 0 }],
    ["all groups", groups, {}],
  ] as [
    string,
    ParameterGroup[],
    Partial<typeof training>,
  ][])("leaves them as they were, bit for bit, and changes all others: %s", async (_, freeze, rest) => {
    const { result, same } = await trained(mixture, [phaseOf(freeze, rest)]);
    const frozen = namesOf(mixture, ...freeze);
    expect(frozen.length).toBeGreaterThan(0);
    expect(same).toEqual(frozen);
    expect(result.frozenParameters).toBe(sizeOf(mixture, frozen));
  });

  test("leaves a tied embedding and head as they were", async () => {
    const tied: ModelConfig = { ...mixture, tiedEmbeddings: true };
    const { result, same } = await trained(tied, [phaseOf(["embeddings"])]);
    expect(same).toEqual(["model.embed_tokens.weight"]);
    expect(result.frozenParameters).toBe(257 * tiny.hidden);
  });

  test("freezes nothing where the model has nothing of the group", async () => {
    const dense: ModelConfig = { ...tiny, layers: 1 };
    const { result, same } = await trained(dense, [phaseOf(["router", "experts"])]);
    expect(same).toEqual([]);
    expect(result.frozenParameters).toBe(0);
  });

  test("leaves a router's balancing bias as it was where the router is frozen, and else moves it", async () => {
    const router = { type: "top-k" as const, k: 1, loadBalance: 0, balance: "bias" as const };
    const config: ModelConfig = { ...mixture, moe: { ...mixture.moe!, router } };
    expect((await trained(config, [phaseOf(["router"])])).same).toEqual(namesOf(config, "router"));
    expect((await trained(config, [phaseOf(["attention"])])).same).toEqual(namesOf(config, "attention"));
  });

  test("may freeze in each phase what it likes: what every phase freezes stays, operations are those of each", async () => {
    const phases = [phaseOf(["experts", "router"]), phaseOf(["attention", "router"]), phaseOf(["router"])];
    const { result, same, lines } = await trained(mixture, phases);
    const frozen = namesOf(mixture, "router");
    expect(same).toEqual(frozen);
    expect(result.frozenParameters).toBe(sizeOf(mixture, frozen));
    const flops = phases.map(({ training: { freeze } }) => flopsPerToken(mixture, { training: true, freeze: freeze! }));
    expect(new Set(flops).size).toBe(3);
    expect(result.flops).toBe(3 * 4 * 16 * flops.reduce((a, b) => a + b));
    // Three steps a phase, each written down with the operations up to it.
    const steps = flops.flatMap((one) => [one, one, one]);
    const soFar = steps.map((_, index) => 4 * 16 * steps.slice(0, index + 1).reduce((a, b) => a + b));
    expect(lines.map((line) => line.flops)).toEqual(soFar);
  });

  test("says nothing of frozen parameters, and counts all operations, where nothing is frozen", async () => {
    const { result, same } = await trained(mixture, [phaseOf(undefined)]);
    expect(same).toEqual([]);
    expect(result).not.toHaveProperty("frozenParameters");
    expect(result.flops).toBe(3 * 4 * 16 * flopsPerToken(mixture, { training: true }));
  });

  test("saves frozen parameters with unfinished training, but no moments of them", async () => {
    const phases = [phaseOf(undefined), phaseOf(["experts"])];
    let breaths = 0;
    const folder = temporaryFolder();
    for (const [stopAfter, freeze] of [
      [3, []],
      [4, ["experts"]],
    ] as [number, ParameterGroup[]][]) {
      const spec = { kind: "finetune" as const, randomSeed: 3, phases };
      const stopRequested = () => ++breaths >= stopAfter;
      const context = contextOf(spec, { parents: { data: await data }, folder, stopRequested });
      const initial = async () => randomModel(mixture, 1);
      await expect(train(context, { config: mixture, initial, phases, randomSeed: 3 })).rejects.toThrow(StopRequested);
      const file = await openSafetensors(context.paths.state);
      const names = [...file.names];
      await file.close();
      const moments = [...trainedShapes(mixture, freeze).keys()].flatMap((name) => [
        `adam.m.${name}`,
        `adam.v.${name}`,
      ]);
      const saved = [...parameterShapes(mixture).keys(), ...moments, "routing.pairs"];
      expect(names.sort()).toEqual(saved.sort());
    }
  });
});
