import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { routingIndexSchema, routingPairsIndexSchema } from "../../../server/protocol/routingFiles.ts";
import { type PendingRouting, RoutingRecorder } from "../../../server/routing/recorder.ts";
import { type StagePaths, stagePathsIn } from "../../../server/runs/layout.ts";
import type { StepResult } from "../../../server/stages/training/stepResult.ts";
import { seeded } from "../../fixtures/random.ts";
import { temporaryFolder, tiny } from "../stages/support.ts";

const config = {
  ...tiny,
  moe: { experts: ["a", "b", "c"], layers: [1], router: { type: "top-k" as const, k: 2, loadBalance: 0 } },
};
const domains = ["code", "prose"];
/** Values by domain and expert, by domain, and by pairs of experts. */
const [size, rows, pairs] = [6, 2, 9];
/** So many steps that one record covers three. */
const steps = 600;

function resultOf(step: number): StepResult {
  const random = seeded(step);
  const numbers = () => Float64Array.from({ length: size }, random);
  const pick = (count: number) => Float64Array.from({ length: count }, random);
  return {
    loss: 1,
    auxiliary: {},
    gradientNorm: 1,
    routedTokens: numbers(),
    gateMass: numbers(),
    probability: numbers(),
    tokens: pick(rows),
    entropy: pick(rows),
    coActivation: pick(pairs),
  };
}

/** What a record holds of a step. */
const cellsOf = ({ routedTokens, gateMass, probability, tokens, entropy }: StepResult) => [
  ...routedTokens!,
  ...gateMass!,
  ...probability!,
  ...tokens!,
  ...entropy!,
];
const sums = (first: number, last: number, valuesOf: (result: StepResult) => number[]) => {
  const total = valuesOf(resultOf(first)).map(() => 0);
  for (let step = first; step <= last; step++)
    for (const [at, value] of valuesOf(resultOf(step)).entries()) total[at]! += value;
  return total;
};
const pairsOf = ({ coActivation }: StepResult) => [...coActivation!];

const open = async (paths: StagePaths) => (await RoutingRecorder.open(paths, config, domains, steps))!;

async function record(
  paths: StagePaths,
  from: number,
  to: number,
  pending: PendingRouting = { routing: [] },
  finish = false,
) {
  const recorder = await open(paths);
  recorder.restore(from - 1, pending);
  for (let step = from; step <= to; step++) recorder.after(step, resultOf(step));
  const { routing, pairs: together } = recorder.pending();
  const saved = { routing: routing!, pairs: together!.slice() };
  if (finish) recorder.finish(to);
  recorder.sync();
  recorder.close();
  return saved;
}

const floats = (path: string): Float32Array => new Float32Array(new Uint8Array(readFileSync(path)).buffer);

describe("RoutingRecorder", () => {
  test("appends a record of sums every few steps, and says how to read it", async () => {
    const paths = stagePathsIn(temporaryFolder());
    const pending = await record(paths, 1, 10);
    const index = routingIndexSchema.parse(JSON.parse(readFileSync(paths.routingIndex, "utf8")));
    expect(index).toEqual({
      version: 1,
      statistics: ["routedTokens", "gateMass", "probability"],
      layerStatistics: ["tokens", "entropy"],
      layers: [1],
      domains,
      experts: ["a", "b", "c"],
      every: 3,
    });
    const records = (valuesOf: typeof cellsOf) =>
      [1, 4, 7].flatMap((first) => [...Float32Array.from(sums(first, first + 2, valuesOf))]);
    expect([...floats(paths.routing)]).toEqual(records(cellsOf));
    expect([...floats(paths.routingPairs)]).toEqual(records(pairsOf));
    expect(routingPairsIndexSchema.parse(JSON.parse(readFileSync(paths.routingPairsIndex, "utf8")))).toEqual({
      version: 1,
      statistics: ["coActivation", "transitions"],
      layers: [1],
      experts: ["a", "b", "c"],
      every: 3,
    });
    expect(pending.routing).toEqual(sums(10, 10, cellsOf));
  });

  test("ends with a record of the steps that are left, if there are any", async () => {
    const paths = stagePathsIn(temporaryFolder());
    await record(paths, 1, 8, undefined, true);
    const left = (valuesOf: typeof cellsOf) => [...Float32Array.from(sums(7, 8, valuesOf))];
    expect([...floats(paths.routing).slice(-(3 * size + 2 * rows))]).toEqual(left(cellsOf));
    expect([...floats(paths.routingPairs).slice(-pairs)]).toEqual(left(pairsOf));
    const even = stagePathsIn(temporaryFolder());
    await record(even, 1, 9, undefined, true);
    expect(floats(even.routing)).toHaveLength(3 * (3 * size + 2 * rows));
  });

  test("goes on with what an older version has begun to record, and with no more", async () => {
    const paths = stagePathsIn(temporaryFolder());
    const older = {
      version: 1,
      statistics: ["routedTokens", "gateMass"],
      layers: [1],
      domains,
      experts: ["a", "b", "c"],
      every: 2,
    };
    writeFileSync(paths.routingIndex, JSON.stringify(older));
    const recorder = await open(paths);
    for (const step of [1, 2]) recorder.after(step, resultOf(step));
    recorder.close();
    const both = sums(1, 2, ({ routedTokens, gateMass }) => [...routedTokens!, ...gateMass!]);
    expect([...floats(paths.routing)]).toEqual([...Float32Array.from(both)]);
    expect(existsSync(paths.routingPairsIndex)).toBe(false);
  });

  test("records pairs of experts so seldom that their file stays below 64 MB, or not at all", async () => {
    for (const [experts, every] of [
      [16, true],
      [512, true],
      [5000, undefined],
    ] as const) {
      const paths = stagePathsIn(temporaryFolder());
      const names = Array.from({ length: experts }, (_, i) => `e${i}`);
      (await RoutingRecorder.open(paths, { ...config, moe: { ...config.moe, experts: names } }, domains, 400))!.close();
      if (every === undefined) expect(existsSync(paths.routingPairsIndex)).toBe(false);
      else {
        const index = routingPairsIndexSchema.parse(JSON.parse(readFileSync(paths.routingPairsIndex, "utf8")));
        // Snapshots cover two steps; a record of 512 experts is a megabyte.
        expect(index.every).toBe(experts === 16 ? 2 : 2 * Math.ceil(200 / Math.floor((64 << 20) / (4 * 512 ** 2))));
      }
    }
  });

  test("records dropped tokens too where routers have a capacity", async () => {
    const limited = {
      ...config,
      moe: { ...config.moe, router: { type: "switch" as const, capacity: 1, loadBalance: 0 } },
    };
    const paths = stagePathsIn(temporaryFolder());
    const recorder = (await RoutingRecorder.open(paths, limited, domains, 1))!;
    const droppedTokens = Float64Array.of(6, 5, 4, 3, 2, 1);
    const result = { ...resultOf(1), droppedTokens };
    recorder.after(1, result);
    recorder.close();
    const index = routingIndexSchema.parse(JSON.parse(readFileSync(paths.routingIndex, "utf8")));
    expect(index.statistics).toEqual(["routedTokens", "gateMass", "probability", "droppedTokens"]);
    const { routedTokens, gateMass, probability, tokens, entropy } = result;
    const expected = Float32Array.of(
      ...routedTokens!,
      ...gateMass!,
      ...probability!,
      ...droppedTokens,
      ...tokens!,
      ...entropy!,
    );
    expect(floats(paths.routing)).toEqual(expected);
  });

  test.each([3, 4, 5, 6, 7])("goes on after step %i as if it had not been killed later", async (saved) => {
    const [whole, resumed] = [stagePathsIn(temporaryFolder()), stagePathsIn(temporaryFolder())];
    await record(whole, 1, 12);
    const pending = await record(resumed, 1, saved);
    // Steps after the save, of a process that is then killed.
    await record(resumed, saved + 1, 11, pending);
    await record(resumed, saved + 1, 12, pending);
    expect(floats(resumed.routing)).toEqual(floats(whole.routing));
    expect(floats(resumed.routingPairs)).toEqual(floats(whole.routingPairs));
  });

  test("starts anew where nothing was saved", async () => {
    const [whole, again] = [stagePathsIn(temporaryFolder()), stagePathsIn(temporaryFolder())];
    await record(whole, 1, 6);
    await record(again, 1, 11);
    await record(again, 1, 6);
    expect(floats(again.routing)).toEqual(floats(whole.routing));
  });

  test("keeps 200 records of a long training at most, and one a step of a short one", async () => {
    for (const [count, every] of [
      [1, 1],
      [200, 1],
      [201, 2],
      [10_000, 50],
    ]) {
      const paths = stagePathsIn(temporaryFolder());
      (await RoutingRecorder.open(paths, config, domains, count!))!.close();
      expect(JSON.parse(readFileSync(paths.routingIndex, "utf8"))).toMatchObject({ every });
    }
  });

  test("records nothing of a dense model", async () => {
    const paths = stagePathsIn(temporaryFolder());
    expect(await RoutingRecorder.open(paths, tiny, domains, steps)).toBeUndefined();
    expect(existsSync(paths.routingIndex)).toBe(false);
  });
});
