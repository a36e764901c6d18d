import { expect, test } from "vitest";
import { routingSummarySchema } from "../../../server/protocol/routingFiles.ts";
import { axesOf, statisticsIn } from "../../../server/protocol/routingStatistics.ts";
import { type StatisticValues, sizeOf } from "../../../server/routing/records.ts";
import { statisticsOfSummary, summaryOf } from "../../../server/routing/summary.ts";
import { seeded } from "../../fixtures/random.ts";

const names = { layers: [0, 2], experts: ["a", "b", "c"], domains: ["code", "prose"] };
const random = seeded(3);
const statistics: StatisticValues = Object.fromEntries(
  statisticsIn("summary").map((name) => [
    name,
    // Tokens are the same in every layer.
    name === "tokens"
      ? Float64Array.of(5, 7, 5, 7)
      : Float64Array.from({ length: sizeOf(axesOf(name), names) }, random),
  ]),
);

test("an evaluation's result lists every statistic by layer, expert and domain", () => {
  const summary = summaryOf(statistics, names);
  expect(routingSummarySchema.parse(summary)).toEqual(summary);
  const { gateMass = [], entropy = [], vocabularyPredicted = [] } = statistics;
  expect(summary.gateMass[1]?.[2]?.[0]).toBe(gateMass[(1 * 2 + 0) * 3 + 2]);
  expect(summary.entropy?.[1]?.[1]).toBe(entropy[1 * 2 + 1]);
  expect(summary.tokens).toEqual([5, 7]);
  expect(summary.vocabulary?.predicted[0]?.[1]?.[2]).toBe(vocabularyPredicted[(0 * 3 + 2) * 3 + 1]);
  expect(statisticsOfSummary(summary, names.domains)).toEqual(statistics);
});

test("it is read in the order of a model's domains, and as far as an older version has written it", () => {
  const { layers, experts, domains, routedTokens, gateMass, tokens } = summaryOf(statistics, names);
  const old = routingSummarySchema.parse({ layers, experts, domains, routedTokens, gateMass, tokens });
  const read = statisticsOfSummary(old, ["prose", "novel", "code"]);
  expect(Object.keys(read).toSorted()).toEqual(["gateMass", "routedTokens", "tokens"]);
  expect([...Array.from(read.tokens ?? [])]).toEqual([7, 0, 5, 7, 0, 5]);
  const mass = (layer: number, domain: number) => gateMass[layer]!.map((expert) => expert[domain] ?? 0);
  expect(Array.from(read.gateMass ?? [])).toEqual(
    [0, 1].flatMap((layer) => [1, 2, 0].flatMap((at) => mass(layer, at))),
  );
});
