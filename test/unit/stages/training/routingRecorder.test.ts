import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { routingIndexSchema } from "../../../../server/protocol/routingFiles.ts";
import { type StagePaths, stagePathsIn } from "../../../../server/runs/layout.ts";
import type { StepResult } from "../../../../server/stages/training/programs.ts";
import { RoutingRecorder } from "../../../../server/stages/training/routingRecorder.ts";
import { seeded } from "../../../fixtures/random.ts";
import { temporaryFolder, tiny } from "../support.ts";

const config = {
  ...tiny,
  moe: { experts: ["a", "b", "c"], layers: [1], router: { type: "top-k" as const, k: 2, loadBalance: 0 } },
};
const domains = ["code", "prose"];
const size = 6;
/** So many steps that one record covers three. */
const steps = 600;

function resultOf(step: number): StepResult {
  const random = seeded(step);
  const numbers = () => Float64Array.from({ length: size }, random);
  return { loss: 1, gradientNorm: 1, routedTokens: numbers(), gateMass: numbers() };
}

const open = async (paths: StagePaths) => (await RoutingRecorder.open(paths, config, domains, steps))!;

async function record(paths: StagePaths, from: number, to: number, pending: number[] = []) {
  const recorder = await open(paths);
  recorder.restore(from - 1, pending);
  for (let step = from; step <= to; step++) recorder.add(step, resultOf(step));
  const left = recorder.pending();
  recorder.sync();
  recorder.close();
  return left;
}

const floats = (path: string): Float32Array => new Float32Array(new Uint8Array(readFileSync(path)).buffer);

describe("RoutingRecorder", () => {
  test("appends a record of sums every few steps, and says how to read it", async () => {
    const paths = stagePathsIn(temporaryFolder());
    const pending = await record(paths, 1, 10);
    const index = routingIndexSchema.parse(JSON.parse(readFileSync(paths.routingIndex, "utf8")));
    expect(index).toEqual({
      version: 1,
      statistics: ["routedTokens", "gateMass"],
      layers: [1],
      domains,
      experts: ["a", "b", "c"],
      every: 3,
    });
    const sums = (first: number, last: number) => {
      const total = new Float64Array(2 * size);
      for (let step = first; step <= last; step++) {
        const { routedTokens, gateMass } = resultOf(step);
        [...routedTokens!, ...gateMass!].forEach((x, i) => {
          total[i]! += x;
        });
      }
      return total;
    };
    expect([...floats(paths.routing)]).toEqual(
      [1, 4, 7].flatMap((first) => [...Float32Array.from(sums(first, first + 2))]),
    );
    expect(pending).toEqual([...sums(10, 10)]);
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
    recorder.add(1, result);
    recorder.close();
    const index = routingIndexSchema.parse(JSON.parse(readFileSync(paths.routingIndex, "utf8")));
    expect(index.statistics).toEqual(["routedTokens", "gateMass", "droppedTokens"]);
    const expected = Float32Array.of(...result.routedTokens!, ...result.gateMass!, ...droppedTokens);
    expect(floats(paths.routing)).toEqual(expected);
  });

  test.each([3, 4, 5, 6, 7])("goes on after step %i as if it had not been killed later", async (saved) => {
    const [whole, resumed] = [stagePathsIn(temporaryFolder()), stagePathsIn(temporaryFolder())];
    await record(whole, 1, 12);
    const pending = await record(resumed, 1, saved);
    // Steps after the save, of a process that is then killed.
    await record(resumed, saved + 1, 11, pending);
    await record(resumed, saved + 1, 12, JSON.parse(JSON.stringify(pending)) as number[]);
    expect(floats(resumed.routing)).toEqual(floats(whole.routing));
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
