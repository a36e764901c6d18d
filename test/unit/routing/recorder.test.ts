import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../server/disk/digest.ts";
import { routingIndexSchema, routingPairsIndexSchema } from "../../../server/protocol/routingFiles.ts";
import { type PendingRouting, RoutingRecorder } from "../../../server/routing/recorder.ts";
import {
  pairsLayout,
  type RecordFile,
  readRanges,
  recordCount,
  recordFile,
  type StatisticValues,
  statisticsOfRecord,
  trainingLayout,
} from "../../../server/routing/records.ts";
import { type StagePaths, stagePathsIn } from "../../../server/runs/layout.ts";
import { seeded } from "../../fixtures/random.ts";
import { temporaryFolder, tiny } from "../stages/support.ts";

const moe = { experts: ["a", "b", "c"], layers: [1], router: { type: "top-k" as const, k: 2, loadBalance: 0 } };
const config = { ...tiny, moe };
const domains = ["code", "prose"];
/** So many steps that one record covers three. */
const steps = 600;

/** What a step reports of one layer, two domains and three experts. */
function resultOf(step: number) {
  const random = seeded(step);
  const numbers = (count: number) => Float64Array.from({ length: count }, random);
  return {
    routedTokens: numbers(6),
    gateMass: numbers(6),
    probability: numbers(6),
    tokens: numbers(2),
    entropy: numbers(2),
    coActivation: numbers(9),
  };
}
type Name = keyof ReturnType<typeof resultOf>;
const ofCells: Name[] = ["routedTokens", "gateMass", "probability", "tokens", "entropy"];

/** Sums over steps, of each statistic. */
function sums(first: number, last: number, names: readonly Name[]): StatisticValues {
  const total = (name: Name) => {
    const values = resultOf(first)[name];
    for (let step = first + 1; step <= last; step++)
      for (const [at, value] of resultOf(step)[name].entries()) values[at]! += value;
    return Float32Array.from(values);
  };
  return Object.fromEntries(names.map((name) => [name, total(name)]));
}

const open = async (paths: StagePaths, resumes = false) =>
  (await RoutingRecorder.open(paths, config, domains, steps, resumes))!;

async function record(paths: StagePaths, from: number, to: number, pending: PendingRouting = {}, finish = false) {
  const recorder = await open(paths, from > 1);
  recorder.restore(from - 1, pending);
  for (let step = from; step <= to; step++) recorder.after(step, resultOf(step));
  const { routing, pairs } = recorder.pending();
  const saved = { routing: routing!, pairs: pairs!.slice() };
  if (finish) recorder.finish(to);
  recorder.sync();
  recorder.close();
  return saved;
}

/** What the files hold, as those who show it read them. */
async function recorded(paths: StagePaths) {
  const training = await recordFile(paths.routing, paths.routingIndex, routingIndexSchema, trainingLayout);
  const pairs = await recordFile(paths.routingPairs, paths.routingPairsIndex, routingPairsIndexSchema, pairsLayout);
  const read = async (file: RecordFile<unknown>) => {
    const records = await readRanges(file, [...Array(await recordCount(file)).keys()]);
    return records.map((values) => statisticsOfRecord(file.layout, values));
  };
  return {
    index: training?.index,
    pairsIndex: pairs?.index,
    cells: training ? await read(training) : [],
    pairs: pairs ? await read(pairs) : [],
  };
}

const noTransitions = { transitions: new Float32Array(0) };

describe("RoutingRecorder", () => {
  test("appends a record of sums every few steps, and says how to read it", async () => {
    const paths = stagePathsIn(temporaryFolder());
    const pending = await record(paths, 1, 10);
    const { index, pairsIndex, cells, pairs } = await recorded(paths);
    expect(index).toEqual({
      version: 1,
      statistics: ["routedTokens", "gateMass", "probability"],
      layerStatistics: ["tokens", "entropy"],
      layers: [1],
      domains,
      experts: ["a", "b", "c"],
      every: 3,
    });
    expect(pairsIndex).toEqual({
      version: 1,
      statistics: ["coActivation", "transitions"],
      layers: [1],
      experts: ["a", "b", "c"],
      every: 3,
    });
    expect(cells).toEqual([1, 4, 7].map((first) => sums(first, first + 2, ofCells)));
    expect(pairs).toEqual(
      [1, 4, 7].map((first) => ({ ...sums(first, first + 2, ["coActivation"]), ...noTransitions })),
    );
    const unfinished = resultOf(10);
    expect(pending.routing).toEqual(ofCells.flatMap((name) => [...unfinished[name]]));
    expect([...pending.pairs]).toEqual([...unfinished.coActivation]);
  });

  test("ends with a record of the steps that are left, if there are any", async () => {
    const paths = stagePathsIn(temporaryFolder());
    await record(paths, 1, 8, undefined, true);
    const { cells, pairs } = await recorded(paths);
    expect(cells.at(-1)).toEqual(sums(7, 8, ofCells));
    expect(pairs.at(-1)).toEqual({ ...sums(7, 8, ["coActivation"]), ...noTransitions });
    const even = stagePathsIn(temporaryFolder());
    await record(even, 1, 9, undefined, true);
    expect((await recorded(even)).cells).toHaveLength(3);
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
    const recorder = await open(paths, true);
    for (const step of [1, 2]) recorder.after(step, resultOf(step));
    recorder.close();
    expect((await recorded(paths)).cells).toEqual([sums(1, 2, ["routedTokens", "gateMass"])]);
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
      (await RoutingRecorder.open(paths, { ...config, moe: { ...moe, experts: names } }, domains, 400, false))!.close();
      const { pairsIndex } = await recorded(paths);
      // Snapshots cover two steps; a record of 512 experts is a megabyte.
      const recordInterval = experts === 16 ? 2 : 2 * Math.ceil(200 / Math.floor((64 << 20) / (4 * 512 ** 2)));
      expect(pairsIndex?.every).toBe(every && recordInterval);
    }
  });

  test("records dropped tokens too where routers have a capacity", async () => {
    const router = { type: "switch" as const, capacity: 1, loadBalance: 0 };
    const paths = stagePathsIn(temporaryFolder());
    const recorder = (await RoutingRecorder.open(paths, { ...config, moe: { ...moe, router } }, domains, 1, false))!;
    const droppedTokens = Float32Array.of(6, 5, 4, 3, 2, 1);
    recorder.after(1, { ...resultOf(1), droppedTokens });
    recorder.close();
    const { index, cells } = await recorded(paths);
    expect(index?.statistics).toEqual(["routedTokens", "gateMass", "probability", "droppedTokens"]);
    expect(cells).toEqual([{ ...sums(1, 1, ofCells), droppedTokens }]);
  });

  test("refuses a step that does not report what is recorded", async () => {
    const recorder = await open(stagePathsIn(temporaryFolder()));
    const { entropy: _, ...rest } = resultOf(1);
    expect(() => recorder.after(1, rest)).toThrow("a step reports 0 values of entropy, not 2");
    recorder.close();
  });

  test.each([3, 4, 5, 6, 7])("goes on after step %i as if it had not been killed later", async (saved) => {
    const [whole, resumed] = [stagePathsIn(temporaryFolder()), stagePathsIn(temporaryFolder())];
    await record(whole, 1, 12);
    const pending = await record(resumed, 1, saved);
    // Steps after the save, of a process that is then killed.
    await record(resumed, saved + 1, 11, pending);
    await record(resumed, saved + 1, 12, pending);
    for (const file of ["routing", "routingPairs"] as const)
      expect(readFileSync(resumed[file]).equals(readFileSync(whole[file]))).toBe(true);
  });

  test("starts anew where nothing was saved", async () => {
    const [whole, again] = [stagePathsIn(temporaryFolder()), stagePathsIn(temporaryFolder())];
    await record(whole, 1, 6);
    await record(again, 1, 11);
    await record(again, 1, 6);
    expect(await recorded(again)).toEqual(await recorded(whole));
  });

  test("keeps 200 records of a long training at most, and one a step of a short one", async () => {
    for (const [count, every] of [
      [1, 1],
      [200, 1],
      [201, 2],
      [10_000, 50],
    ] as const) {
      const paths = stagePathsIn(temporaryFolder());
      (await RoutingRecorder.open(paths, config, domains, count, false))!.close();
      expect((await recorded(paths)).index).toMatchObject({ every });
    }
  });

  test("a record that changed after its stage was done is refused, with the file's name", async () => {
    const paths = stagePathsIn(temporaryFolder());
    await record(paths, 1, 12, {}, true);
    const good = readFileSync(paths.routing);
    const files = { "routing.f32": { bytes: good.length, digest: digestOf(good) } };
    const open = () => recordFile(paths.routing, paths.routingIndex, routingIndexSchema, trainingLayout, { files });
    expect(await open()).toBeDefined();
    const bytes = Buffer.from(good);
    bytes[100]! ^= 1;
    // Another time of change, whatever the clock's steps are.
    writeFileSync(paths.routing, bytes);
    utimesSync(paths.routing, 1, 1);
    await expect(open()).rejects.toThrow(`${paths.routing} is damaged (its content has changed since it was written)`);
  });

  test("records nothing of a dense model", async () => {
    const paths = stagePathsIn(temporaryFolder());
    expect(await RoutingRecorder.open(paths, tiny, domains, steps, false)).toBeUndefined();
    expect(existsSync(paths.routingIndex)).toBe(false);
  });
});
