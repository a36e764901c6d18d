import { describe, expect, test } from "vitest";
import { UserError } from "../../../server/protocol/errors.ts";
import { histogramBins } from "../../../server/protocol/routingStatistics.ts";
import {
  blockOf,
  detailLayout,
  ofDomain,
  pairsLayout,
  partOf,
  probeDetailLayout,
  probeLayout,
  type RecordLayout,
  statisticsOfRecord,
  trainingLayout,
} from "../../../server/routing/records.ts";

const [layers, experts, domains] = [
  [1, 3, 4],
  ["a", "b"],
  ["code", "prose"],
];
const names = { layers, experts, domains };
const [L, E, D, B] = [3, 2, 2, histogramBins];

/** Names of a record's values one after the other, as the documentation of the run folder tells their order. */
const written = (name: string, ...shape: number[]): string[] =>
  shape.reduce(
    (places, length) => places.flatMap((place) => Array.from({ length }, (_, at) => `${place} ${at}`)),
    [name],
  );

/** The same as a layout has it, by asking for each place by itself. */
function placed({ size, blocks }: RecordLayout): string[] {
  const values = new Array<string>(size).fill("nothing");
  for (const block of blocks)
    for (const place of written("", ...block.shape)) {
      const { start, length } = partOf(block, ...place.trim().split(" ").map(Number));
      expect(length).toBe(1);
      values[start] = `${block.name}${place}`;
    }
  return values;
}

describe("the layout of a record", () => {
  test("of training is statistic, layer, domain, expert; then layer statistic, layer, domain", () => {
    const index = { ...names, statistics: ["routedTokens", "gateMass"], layerStatistics: ["tokens", "entropy"] };
    expect(placed(trainingLayout(index))).toEqual([
      ...written("routedTokens", L, D, E),
      ...written("gateMass", L, D, E),
      ...written("tokens", L, D),
      ...written("entropy", L, D),
    ]);
    expect(trainingLayout({ ...names, statistics: ["routedTokens"] }).size).toBe(L * D * E);
  });

  test("of pairs has no transitions from the last layer", () => {
    const statistics = ["coActivation", "transitions"];
    expect(placed(pairsLayout({ layers, experts, statistics }))).toEqual([
      ...written("coActivation", L, E, E),
      ...written("transitions", L - 1, E, E),
    ]);
    expect(pairsLayout({ layers: [2], experts, statistics }).size).toBe(E * E);
  });

  test("of an evaluation is about one domain, and of a probe about each domain in turn", () => {
    expect(placed(detailLayout({ ...names, statistics: ["coActivation", "transitions", "histogram"] }))).toEqual([
      ...written("coActivation", L, E, E),
      ...written("transitions", L - 1, E, E),
      ...written("histogram", L, E, B),
    ]);
    expect(placed(probeDetailLayout({ ...names, statistics: ["histogram", "vocabularyInput"] }))).toEqual([
      ...written("histogram", D, L, E, B),
      ...written("vocabularyInput", L, D + 1, E),
    ]);
  });

  test("of a probe's choices has as many tokens as each domain has", () => {
    expect(placed(probeLayout({ layers, domains, tokens: [4, 1], k: 2 }))).toEqual([
      ...written("code", L, 4, 2),
      ...written("prose", L, 1, 2),
    ]);
  });
});

test("a statistic that only a newer version knows is passed over where lists say its axes, and refused elsewhere", () => {
  const layout = trainingLayout({ ...names, statistics: ["novel", "gateMass"], layerStatistics: ["tokens"] });
  const record = Float32Array.from({ length: layout.size }, (_, at) => at);
  const size = L * D * E;
  expect(statisticsOfRecord(layout, record)).toEqual({
    gateMass: record.subarray(size, 2 * size),
    tokens: record.subarray(2 * size),
  });
  expect(blockOf(layout, "novel")).toMatchObject({ start: 0, length: size });
  expect(() => pairsLayout({ layers, experts, statistics: ["coActivation", "novel"] })).toThrow(UserError);
});

test("the values of one domain are those at its place on the domain's axis", () => {
  const all = written("histogram", L, D, E, B);
  const numbers = all.map((_, at) => at);
  const axes = ["layer", "domain", "expert", "bin"] as const;
  for (const domain of domains.keys()) {
    const own = Array.from(ofDomain(numbers, axes, names, domain), (at) => all[at]);
    expect(own).toEqual(all.filter((name) => name.split(" ")[2] === `${domain}`));
  }
  expect(ofDomain(numbers, ["layer", "expert", "expert"], names, 1)).toBe(numbers);
});
