import { matMul, mul } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Counting, countedByLayer } from "../../../server/model/routingStatistics.ts";
import { routingIndexSchema } from "../../../server/protocol/routingFiles.ts";
import { routingStatistics } from "../../../server/protocol/routingStatistics.ts";
import { blockOf, readStretches, recordCount, recordFile, trainingLayout } from "../../../server/routing/records.ts";
import { stagePathsIn } from "../../../server/runs/layout.ts";
import { train } from "../../../server/stages/training/train.ts";
import { contextOf, randomModel, temporaryFolder, tiny, training } from "../stages/support.ts";
import { twoDomains } from "../stages/training/support.ts";

/** The tables as a developer extends them: one entry says what is counted, one how. */
const declarations: Record<string, unknown> = routingStatistics;
const counting: Record<string, (counting: Counting) => unknown> = countedByLayer;

beforeAll(() => {
  declarations.gateSquares = {
    counts: "sum of the squares of the expert's gates",
    axes: ["layer", "domain", "expert"],
    records: ["training"],
  };
  counting.gateSquares = ({ routings, tokens }) =>
    routings.map(({ gateOfExpert }) => matMul(tokens, mul(gateOfExpert, gateOfExpert), true));
});

afterAll(() => {
  delete declarations.gateSquares;
  delete counting.gateSquares;
});

test("a statistic that is declared and counted is recorded and read like the others", async () => {
  const folder = temporaryFolder();
  const router = { type: "switch" as const, capacity: 4, loadBalance: 0 };
  const config = { ...tiny, moe: { experts: ["x", "y", "z"], layers: [0, 1], router } };
  const phases = [{ tokens: 2 * training.batch * tiny.context, mixture: { letters: 1, digits: 1 }, training }];
  const spec = { kind: "finetune" as const, randomSeed: 3, phases };
  const context = contextOf(spec, { parents: { data: await twoDomains() }, folder });
  const parameters = randomModel(config, 4);
  await train(context, { config, initial: async () => parameters, phases, randomSeed: 3 });

  const paths = stagePathsIn(folder);
  const file = (await recordFile(paths.routing, paths.routingIndex, routingIndexSchema, trainingLayout))!;
  expect(file.index.statistics).toContain("gateSquares");
  expect(await recordCount(file)).toBe(2);
  const read = async (name: string) => (await readStretches(file, [0, 1], blockOf(file.layout, name)))[1]!;
  const [squares, mass, routed] = [await read("gateSquares"), await read("gateMass"), await read("routedTokens")];
  // Gates are probabilities, one a token: their squares are below them, and not below the square of their mean.
  expect(squares.some((value) => value > 0)).toBe(true);
  for (const [at, value] of squares.entries()) {
    expect(value).toBeLessThanOrEqual(mass[at]!);
    expect(value).toBeGreaterThanOrEqual((mass[at]! ** 2 / Math.max(1, routed[at]!)) * (1 - 1e-6));
  }
});
